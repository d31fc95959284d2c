// onednn.cpp: oneDNN's convolutions alone, the bound that no step built upon them can pass: no input, no other
// layer, no loss, no optimiser, and no reorders between convolutions, each of which has the layouts it likes best
// (format any). A ReLU is fused where the network has one. Convolutions of a training step: forward, gradient of the
// input (not for the first), gradient of the weights and bias.
//     onednn f32|bf16 train|infer direct|auto BATCH SECONDS LAYER...
// LAYER: inputs,outputs,side,kernel,stride,before,after,act (see Layer in common.py). Threads: OMP_NUM_THREADS.
// Says what it is, then answers each line "round" with images per second, by the median over SECONDS. Builds
// with oneDNN 2 and 3.
#include <dnnl.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

using dnnl::memory;
using Desc = memory::desc;
using Type = memory::data_type;
using Tag = memory::format_tag;

struct Layer { int inputs, outputs, side, kernel, stride, before, after, act; };

struct Call {
  dnnl::primitive primitive;
  std::unordered_map<int, memory> arguments;
};

struct Net {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  Type type;
  dnnl::algorithm algorithm;
  bool train;
  int batch;
  std::vector<Call> calls;
};

// Shapes and paddings of one convolution: x (N,C,H,W), w (O,C,K,K), y (N,O,H',W') in the type of the net; sums
// of gradients in f32.
struct Conv {
  Desc x, w, b, y, dw, db;
  memory::dims stride, before, after;
};

static Conv describe(const Net &n, const Layer &l) {
  const int out = (l.side + l.before + l.after - l.kernel) / l.stride + 1;
  const memory::dims w = {l.outputs, l.inputs, l.kernel, l.kernel}, b = {l.outputs};
  return {
    Desc({n.batch, l.inputs, l.side, l.side}, n.type, Tag::any), Desc(w, n.type, Tag::any), Desc(b, Type::f32, Tag::x),
    Desc({n.batch, l.outputs, out, out}, n.type, Tag::any), Desc(w, Type::f32, Tag::any), Desc(b, Type::f32, Tag::x),
    {l.stride, l.stride}, {l.before, l.before}, {l.after, l.after},
  };
}

// New memory full of small numbers of both signs, so that no multiplication is by zero or by a denormal.
static memory fill(const Net &n, const Desc &desc, Type type) {
  memory m(desc, n.engine);
  const size_t bytes = desc.get_size();
  char *p = static_cast<char *>(m.get_data_handle());
  const size_t width = type == Type::bf16 ? 2 : 4;
  for (size_t i = 0; i < bytes / width; i++) {
    const float v = (static_cast<uint32_t>(i * 2654435761u) >> 24) / 256.f - 0.498f;
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (type == Type::bf16) bits >>= 16;
    memcpy(p + i * width, &bits, width);
  }
  return m;
}

static dnnl::primitive_attr fused_relu(const Layer &l) {
  dnnl::primitive_attr attr;
  if (!l.act) return attr;
  dnnl::post_ops ops;
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0.f, 0.f);
#else
  ops.append_eltwise(1.f, dnnl::algorithm::eltwise_relu, 0.f, 0.f);
#endif
  attr.set_post_ops(ops);
  return attr;
}

using Forward = dnnl::convolution_forward;
using BackwardData = dnnl::convolution_backward_data;
using BackwardWeights = dnnl::convolution_backward_weights;

// The two interfaces differ only in that oneDNN 2 makes an operation descriptor first.
#if DNNL_VERSION_MAJOR >= 3
static Forward::primitive_desc forward_of(const Net &n, const Conv &c, dnnl::prop_kind kind,
                                          const dnnl::primitive_attr &attr) {
  return {n.engine, kind, n.algorithm, c.x, c.w, c.b, c.y, c.stride, c.before, c.after, attr};
}
static BackwardData::primitive_desc data_of(const Net &n, const Conv &c, const Forward::primitive_desc &hint) {
  return {n.engine, n.algorithm, c.x, c.w, c.y, c.stride, c.before, c.after, hint};
}
static BackwardWeights::primitive_desc weights_of(const Net &n, const Conv &c, const Forward::primitive_desc &hint) {
  return {n.engine, n.algorithm, c.x, c.dw, c.db, c.y, c.stride, c.before, c.after, hint};
}
#else
static Forward::primitive_desc forward_of(const Net &n, const Conv &c, dnnl::prop_kind kind,
                                          const dnnl::primitive_attr &attr) {
  return {Forward::desc(kind, n.algorithm, c.x, c.w, c.b, c.y, c.stride, c.before, c.after), attr, n.engine};
}
static BackwardData::primitive_desc data_of(const Net &n, const Conv &c, const Forward::primitive_desc &hint) {
  return {BackwardData::desc(n.algorithm, c.x, c.w, c.y, c.stride, c.before, c.after), n.engine, hint};
}
static BackwardWeights::primitive_desc weights_of(const Net &n, const Conv &c, const Forward::primitive_desc &hint) {
  return {BackwardWeights::desc(n.algorithm, c.x, c.dw, c.db, c.y, c.stride, c.before, c.after), n.engine, hint};
}
#endif

static void add_layer(Net &n, const Layer &l, bool first) {
  const Conv c = describe(n, l);
  const auto kind = n.train ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  const auto f = forward_of(n, c, kind, fused_relu(l));
  n.calls.push_back({Forward(f), {{DNNL_ARG_SRC, fill(n, f.src_desc(), n.type)},
                                  {DNNL_ARG_WEIGHTS, fill(n, f.weights_desc(), n.type)},
                                  {DNNL_ARG_BIAS, fill(n, f.bias_desc(), Type::f32)},
                                  {DNNL_ARG_DST, fill(n, f.dst_desc(), n.type)}}});
  if (!n.train) return;
  const auto hint = forward_of(n, c, kind, dnnl::primitive_attr());
  if (!first) {
    const auto d = data_of(n, c, hint);
    n.calls.push_back({BackwardData(d), {{DNNL_ARG_DIFF_SRC, fill(n, d.diff_src_desc(), n.type)},
                                         {DNNL_ARG_WEIGHTS, fill(n, d.weights_desc(), n.type)},
                                         {DNNL_ARG_DIFF_DST, fill(n, d.diff_dst_desc(), n.type)}}});
  }
  const auto w = weights_of(n, c, hint);
  n.calls.push_back({BackwardWeights(w), {{DNNL_ARG_SRC, fill(n, w.src_desc(), n.type)},
                                          {DNNL_ARG_DIFF_WEIGHTS, fill(n, w.diff_weights_desc(), Type::f32)},
                                          {DNNL_ARG_DIFF_BIAS, fill(n, w.diff_bias_desc(), Type::f32)},
                                          {DNNL_ARG_DIFF_DST, fill(n, w.diff_dst_desc(), n.type)}}});
}

static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Seconds that all convolutions of one batch take.
static double pass(Net &n) {
  const double start = now();
  for (Call &c : n.calls) c.primitive.execute(n.stream, c.arguments);
  n.stream.wait();
  return now() - start;
}

static void round_of(Net &n, double seconds) {
  std::vector<double> times;
  const double start = now();
  pass(n);
  while (times.size() < 3 || now() - start < seconds) times.push_back(pass(n));
  std::sort(times.begin(), times.end());
  const size_t half = times.size() / 2;
  const double median = times.size() % 2 ? times[half] : (times[half - 1] + times[half]) / 2;
  printf("{\"images_per_second\": %.6g, \"seconds\": %.6g}\n", n.batch / median, median);
  fflush(stdout);
}

static Layer parse(const char *text) {
  Layer l;
  if (sscanf(text, "%d,%d,%d,%d,%d,%d,%d,%d", &l.inputs, &l.outputs, &l.side, &l.kernel, &l.stride, &l.before, &l.after,
             &l.act) != 8)
    throw std::runtime_error(std::string("layer '") + text + "': needs eight numbers");
  return l;
}

static int run(int argc, char **argv) {
  if (argc < 7) throw std::runtime_error("needs f32|bf16 train|infer direct|auto BATCH SECONDS LAYER...");
  Net n;
  n.type = argv[1] == std::string("bf16") ? Type::bf16 : Type::f32;
  n.train = argv[2] == std::string("train");
  n.algorithm = argv[3] == std::string("auto") ? dnnl::algorithm::convolution_auto
                                               : dnnl::algorithm::convolution_direct;
  n.batch = std::stoi(argv[4]);
  const double seconds = std::stod(argv[5]);
  for (int i = 6; i < argc; i++) add_layer(n, parse(argv[i]), i == 6);
  const dnnl_version_t *v = dnnl_version();
  printf("{\"title\": \"oneDNN %d.%d.%d\"}\n", v->major, v->minor, v->patch);
  fflush(stdout);
  for (std::string line; std::getline(std::cin, line);)
    if (line == "round") round_of(n, seconds);
  return 0;
}

int main(int argc, char **argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception &e) {
    fprintf(stderr, "onednn: %s\n", e.what());
    return 1;
  }
}
