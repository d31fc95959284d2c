/* shape.c: the ten subjects, as signed distances to their outlines (negative inside), in a frame where each
   fills about -1..1 with y upwards. Distances are exact near the outline, which is where shading and edges need them.
   After I. Quilez, "2D distance functions". */
#include "camera/parts.h"
#include "exact.h"

static double disc(double x, double y, double r) { return m_length(x, y) - r; }

static double box(double x, double y, double half_x, double half_y, double round)
{
    double dx = m_abs(x) - half_x + round, dy = m_abs(y) - half_y + round;
    return m_length(m_max(dx, 0), m_max(dy, 0)) + m_min(m_max(dx, dy), 0) - round;
}

/* Minimum whose crease is filled over a width of about k. */
static double blend(double a, double b, double k)
{
    double h = m_max(k - m_abs(a - b), 0);
    return m_min(a, b) - h * h / (4 * k);
}

static double ball(double x, double y, double form) { return disc(x, y, 0.8); }

static double ring(double x, double y, double form) { return m_abs(disc(x, y, 0.6)) - (0.15 + 0.12 * form); }

static double crate(double x, double y, double form) { return box(x, y, 0.62 + 0.18 * form, 0.8 - 0.18 * form, 0.06); }

/* Five points, by folding the plane on two mirror lines (36 and 72 degrees). */
static double star(double x, double y, double form)
{
    const double c = 0.8090169943749475, s = 0.5877852522924731;
    x = m_abs(x);
    double fold = 2 * m_max(c * x - s * y, 0);
    x -= fold * c;
    y += fold * s;
    fold = 2 * m_max(-c * x - s * y, 0);
    x += fold * c;
    y += fold * s;
    x = m_abs(x);
    y -= 0.95;
    double depth = 0.38 + 0.17 * form, bx = s * depth, by = c * depth - 1;
    double t = m_clamp((x * bx + y * by) / (bx * bx + by * by), 0, 0.95);
    double d = m_length(x - bx * t, y - by * t);
    return (y * bx - x * by < 0 ? -d : d) - 0.03;
}

static double bottle(double x, double y, double form)
{
    double body = box(x, y + 0.32, 0.26 + 0.12 * form, 0.6, 0.12);
    double neck = box(x, y - 0.52, 0.11, 0.42, 0.03);
    double lip = box(x, y - 0.86, 0.16, 0.07, 0.04);
    return m_min(blend(body, neck, 0.3), lip);
}

static double cup(double x, double y, double form)
{
    double side = 0.5 + (0.05 + 0.12 * form) * y;
    double body = box(x + 0.2, y, side, 0.68, 0.08);
    double handle = m_abs(disc(x - 0.38, y - 0.02, 0.34)) - 0.085;
    return m_min(body, handle);
}

static double leaf(double x, double y, double form)
{
    double bow = 0.45 + 0.3 * form, r = sqrt(bow * bow + 0.7 * 0.7);
    double blade = m_max(disc(x - bow, y - 0.2, r), disc(x + bow, y - 0.2, r));
    double stem = box(x - 0.15 * (y + 0.7) * (y + 0.7), y + 0.7, 0.055, 0.28, 0.03);
    return m_min(blade, stem);
}

static double fish(double x, double y, double form)
{
    double bow = 0.3 + 0.35 * form, r = sqrt(bow * bow + 0.68 * 0.68);
    double body = m_max(disc(x - 0.25, y - bow, r), disc(x - 0.25, y + bow, r));
    double tail = m_max(m_max(m_abs(y) - 0.08 + 0.75 * (x + 0.42), x + 0.42),
                        -x - 0.88 + 0.5 * m_max(0.25 - m_abs(y), 0));
    return blend(body, tail, 0.1);
}

static double key(double x, double y, double form)
{
    double bow = m_abs(disc(x + 0.55, y, 0.29)) - 0.11;
    double shaft = box(x - 0.32, y, 0.6, 0.085, 0.02);
    double tooth = box(x - 0.78, y + 0.2, 0.085, 0.22, 0.02);
    double other = box(x - 0.42 - 0.1 * form, y + 0.17, 0.075, 0.17, 0.02);
    return m_min(m_min(bow, shaft), m_min(tooth, other));
}

static double mushroom(double x, double y, double form)
{
    double cap = m_max(disc(x, (y - 0.05) * (1 + 0.3 * form), 0.8), 0.05 - y) - 0.03;
    double stem = box(x, y + 0.38, 0.2 + 0.01 / (0.3 + m_abs(y + 0.8)), 0.45, 0.08);
    return blend(cap, stem, 0.12);
}

static const struct {
    const char *name;
    double (*distance)(double x, double y, double form);
    double bevel;
} shapes[HZ_CAMERA_CLASSES] = {
    { "ball",     ball,     0.80 },
    { "ring",     ring,     0.21 },
    { "crate",    crate,    0.16 },
    { "star",     star,     0.30 },
    { "bottle",   bottle,   0.30 },
    { "cup",      cup,      0.30 },
    { "leaf",     leaf,     0.40 },
    { "fish",     fish,     0.30 },
    { "key",      key,      0.10 },
    { "mushroom", mushroom, 0.45 },
};

double shape_distance(int label, double x, double y, double form) { return shapes[label].distance(x, y, form); }
double shape_bevel(int label) { return shapes[label].bevel; }
const char *shape_name(int label) { return shapes[label].name; }
