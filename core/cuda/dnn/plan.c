/* plan.c: from a graph to plans, by cuDNN's heuristics; to text and back; and running one. What is kept of a plan is
   its text: the first run and all later ones, here or from a file, read the same bytes. */
#include "bounds.h"
#include "cuda/dnn/dnn.h"
#include <stdlib.h>
#include <string.h>

enum { CONFIGS = 96, NOTES = CUDNN_NUMERICAL_NOTE_TYPE_COUNT };
static const int64_t room = 256 << 20;   /* bytes of workspace that a plan may want */

void dnn_plans_clear(dnn_plans *list)
{
    while (list->count > 0)
        free(list->plan[--list->count].text);
}

/* For whom a plan is: the card that is here, or the one that is described. */
static void address(dnn_scope *s, dnn_descriptor d, const dnn_target *t)
{
    if (t->handle)
        dnn_set(s, d, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &t->handle);
    else
        dnn_set_descriptor(s, d, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, t->properties);
}

/* What cuDNN proposes, best first; how many. */
static int propose(dnn_scope *s, const dnn_target *t, dnn_descriptor graph, cudnnBackendHeurMode_t mode,
                   dnn_descriptor config[CONFIGS])
{
    int64_t n = 0, got = 0;
    dnn_descriptor h = dnn_make(s, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    dnn_set_descriptor(s, h, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    dnn_set(s, h, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    if (!t->handle)
        dnn_set_descriptor(s, h, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, t->properties);
    dnn_finish(s, h, "asking for proposals");
    if (s->status)
        return 0;
    dnn.cudnnBackendGetAttribute(h, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &n, NULL);
    n = min(n, CONFIGS);
    for (int i = 0; i < n; i++)
        config[i] = dnn_make(s, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    if (!s->status)
        dnn.cudnnBackendGetAttribute(h, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, n, &got, config);
    return (int)got;
}

static int has_note(const cudnnBackendNumericalNote_t *note, int64_t n, cudnnBackendNumericalNote_t wanted)
{
    for (int64_t i = 0; i < n; i++) {
        if (note[i] == wanted)
            return 1;
    }
    return 0;
}

/* 1: the engine yields the same bits each time, and f32 where f32 is asked for: tensor cores round its inputs.
   *number: cuDNN's of the engine. */
static int suits(const dnn_key *k, dnn_descriptor config, int *number)
{
    cudnnBackendNumericalNote_t note[NOTES];
    int64_t n = 0, one = 0, index = -1;
    dnn_scope s = { 0 };
    dnn_descriptor engine = dnn_make(&s, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    if (!s.status) {
        dnn.cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &one,
                                     &engine);
        dnn.cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &one, &index);
        dnn.cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, NOTES, &n,
                                     note);
    }
    *number = (int)index;
    dnn_end(&s);
    return index >= 0 && !has_note(note, n, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) &&
           (k->type != DNN_F32 || (!has_note(note, n, CUDNN_NUMERICAL_NOTE_TENSOR_CORE) &&
                                   !has_note(note, n, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)));
}

static int64_t workspace_of(dnn_descriptor plan)
{
    int64_t one = 0, bytes = 0;
    dnn.cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &one, &bytes);
    return bytes;
}

/* 0: cuDNN cannot build it after all, which it may say only now; or it wants too much room. */
static int build(const dnn_target *t, dnn_descriptor config, dnn_plan *out)
{
    dnn_scope s = { 0 };
    dnn_descriptor d = dnn_make(&s, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    dnn_set_descriptor(&s, d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
    address(&s, d, t);
    dnn_finish(&s, d, "building a plan");
    if (!s.status && workspace_of(d) <= room)
        out->text = dnn_text(&s, d, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, &out->bytes);
    dnn_end(&s);
    return out->text != NULL;
}

/* Adds the plans of a mode of cuDNN's that suit; how many there were, built or not. */
static int add_proposals(dnn_scope *s, const dnn_target *t, const dnn_key *k, dnn_descriptor graph,
                         cudnnBackendHeurMode_t mode, int most, dnn_plan like, dnn_plans *list)
{
    dnn_descriptor config[CONFIGS];
    int n = propose(s, t, graph, mode, config), suit = 0, built = 0;
    for (int i = 0; i < n; i++) {
        dnn_plan p = like;
        if (!suits(k, config[i], &p.engine))
            continue;
        suit++;
        if (built < most && list->count < DNN_LIMIT && build(t, config[i], &p)) {
            list->plan[list->count++] = p;
            built++;
        }
    }
    return suit;
}

hz_status dnn_build(const dnn_target *t, const dnn_key *k, int split, int most, dnn_plans *list, int *proposed)
{
    dnn_scope s = { 0 };
    dnn_plan like = { .split = split };
    dnn_descriptor graph = dnn_graph(&s, t, k, split);
    *proposed = graph ? add_proposals(&s, t, k, graph, CUDNN_HEUR_MODE_A, most, like, list) : 0;
    if (graph && !*proposed && !s.status)        /* of f32 without tensor cores it does not think first */
        *proposed = add_proposals(&s, t, k, graph, CUDNN_HEUR_MODE_FALLBACK, most, like, list);
    hz_status status = s.status;
    dnn_end(&s);
    return status;
}

hz_status dnn_plan_read(dnn_scope *s, const dnn_target *t, dnn_plan *p, dnn_descriptor *out)
{
    dnn_descriptor d = dnn_make(s, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    address(s, d, t);
    dnn_set(s, d, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, (int64_t)p->bytes, p->text);
    dnn_finish(s, d, "reading a plan");
    p->workspace = s->status ? 0 : workspace_of(d);
    *out = s->status ? NULL : d;
    return s->status;
}

hz_status dnn_execute(const dnn_target *t, const dnn_key *k, int split, dnn_descriptor plan,
                      void *const data[DNN_SLOTS], void *workspace, void *stream)
{
    int64_t id[DNN_SLOTS];
    void *at[DNN_SLOTS];
    int n = 0;
    for (int i = 0; i < DNN_SLOTS; i++) {
        if (dnn_key_uses(k, split, i)) {
            id[n] = i;
            at[n++] = data[i];
        }
    }
    dnn_scope s = { 0 };
    dnn_descriptor pack = dnn_make(&s, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    dnn_set(&s, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, id);
    dnn_set(&s, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n, at);
    dnn_set(&s, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
    dnn_finish(&s, pack, "naming a plan's data");
    hz_status status = s.status;
    if (!status)
        status = dnn_check(dnn.cudnnSetStream(t->handle, stream), "choosing a stream");
    if (!status)
        status = dnn_check(dnn.cudnnBackendExecute(t->handle, plan, pack), dnn_pattern_name(k->pattern));
    dnn_end(&s);
    return status;
}
