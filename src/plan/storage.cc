#include "plan/storage.h"

#include <algorithm>

#include "base/compact_sort.h"
#include "graph/edit.h"

namespace weft {
namespace {

// A cache line, and more than any vector load; what WebGPU asks of a binding.
int64_t alignment(Caps::Kind kind) { return kind == Caps::Kind::cpu ? 64 : kGpuAlignment; }

// By value: the value whose storage it is (itself, what it views, or the state it is a version of).
std::vector<ValueId> aliases(const Graph& graph) {
  std::vector<ValueId> root(graph.values.size());
  for (size_t v = 0; v < root.size(); ++v) root[v] = static_cast<ValueId>(v);
  for (const Node& node : graph.nodes) {
    if (node.op == Op::view) root[node.outputs[0]] = root[node.inputs[0]];
    for (const auto& [input, result] : state_writes(node.op)) root[node.outputs[result]] = root[node.inputs[input]];
  }
  return root;
}

bool elementwise(Op op) {
  return op == Op::add || op == Op::mul || op == Op::activation || op == Op::scale || op == Op::softcap ||
         op == Op::gated_activation;
}

// One storage of the arena and the steps (nodes) during which it must not be overwritten.
struct Block {
  ValueId root;
  int64_t bytes, first, last, offset = 0;
  bool overlaps(const Block& other) const { return first <= other.last && other.first <= last; }
};

// The largest first: each goes into the smallest gap between the storages already placed that live at the same time,
// or behind them. Lives that overlap therefore never share bytes.
int64_t place(std::vector<Block>& blocks) {
  std::stable_sort(blocks.begin(), blocks.end(), [](const Block& a, const Block& b) { return a.bytes > b.bytes; });
  std::vector<const Block*> alive;
  int64_t arena = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    alive.clear();
    for (size_t j = 0; j < i; ++j) {
      if (blocks[j].overlaps(blocks[i])) alive.push_back(&blocks[j]);
    }
    compact_sort(alive, [](auto* a, auto* b) { return a->offset < b->offset; });
    int64_t end = 0, best = -1, best_gap = 0;
    for (const Block* other : alive) {
      const int64_t gap = other->offset - end;
      if (gap >= blocks[i].bytes && (best < 0 || gap < best_gap)) best = end, best_gap = gap;
      end = std::max(end, other->offset + other->bytes);
    }
    blocks[i].offset = best >= 0 ? best : end;
    arena = std::max(arena, blocks[i].offset + blocks[i].bytes);
  }
  return arena;
}

}  // namespace

Status copy_shared_outputs(Graph& graph) {
  const std::vector<ValueId> root = aliases(graph);
  std::vector<bool> taken(graph.values.size(), false);
  for (Port& port : graph.outputs) {
    const ValueId storage = root[port.value];
    if (graph.values[storage].kind == ValueKind::result && !taken[storage]) {
      taken[storage] = true;
      continue;
    }
    const ValueType type = graph.type(port.value);
    if (type.dtype != DType::f32) {
      return fail(Code::unsupported, "graph '" + graph.name + "'", "output '" + port.name + "'",
                  "a result, or f32 that can be copied", std::string(name(type.dtype)));
    }
    const ValueId copy = add_result(graph, type);
    graph.nodes.push_back({Op::scale, {}, {port.value}, {copy}});
    port.value = copy;
  }
  renumber(graph);
  return {};
}

Storage assign_storage(const Graph& graph, std::span<const int64_t> bounds, Caps::Kind kind) {
  std::vector<ValueId> root = aliases(graph);
  const auto steps = static_cast<int64_t>(graph.nodes.size());
  std::vector<int32_t> port_of(graph.values.size(), -1);  // by root
  for (size_t p = 0; p < graph.outputs.size(); ++p) port_of[root[graph.outputs[p].value]] = static_cast<int32_t>(p);

  std::vector<int64_t> last(graph.values.size(), -1);  // by root: the last step that touches it
  auto touch = [&](ValueId v, int64_t step) {
    if (v != kNoValue) last[root[v]] = std::max(last[root[v]], step);
  };
  for (int64_t n = 0; n < steps; ++n) {
    for (ValueId v : graph.nodes[n].inputs) touch(v, n);
    for (ValueId v : graph.nodes[n].outputs) touch(v, n);
  }

  auto in_arena = [&](ValueId storage) {
    return graph.values[storage].kind == ValueKind::result && port_of[storage] < 0;
  };
  // In place: element i is read before it is written, so a result may take over an input that nobody reads afterwards.
  for (int64_t n = 0; n < steps && kind == Caps::Kind::cpu; ++n) {
    const Node& node = graph.nodes[n];
    if (!elementwise(node.op) || !in_arena(root[node.outputs[0]])) continue;
    for (ValueId input : node.inputs) {
      const ValueId from = root[input], to = node.outputs[0];
      if (!in_arena(from) || last[from] != n || root[to] != to) continue;
      last[from] = last[to];
      for (ValueId& r : root) {
        if (r == to) r = from;
      }
      break;
    }
  }

  std::vector<Block> blocks;
  for (int64_t n = 0; n < steps; ++n) {
    for (ValueId v : graph.nodes[n].outputs) {
      if (root[v] != v || !in_arena(v)) continue;
      const int64_t bytes = align_up(size_of(graph.type(v), bounds), alignment(kind));
      blocks.push_back({v, bytes, n, last[v]});
    }
  }
  Storage storage;
  storage.arena_bytes = place(blocks);
  std::vector<int64_t> offset(graph.values.size(), 0), alive(graph.nodes.size() + 1, 0);
  for (const Block& block : blocks) {
    offset[block.root] = block.offset;
    ++alive[block.first];
    --alive[block.last + 1];
  }
  int64_t now = 0;
  for (int64_t change : alive) storage.peak_values = std::max(storage.peak_values, now += change);

  for (ValueId r : root) {
    const Value& value = graph.values[r];
    Place place;
    switch (value.kind) {
      case ValueKind::input:
        place = {Place::Space::input, value.index};
        break;
      case ValueKind::weight:
        place = {Place::Space::weight, value.index};
        break;
      case ValueKind::constant:
        place = {Place::Space::constant, value.index};
        break;
      case ValueKind::state:
        place = {Place::Space::state, value.index};
        break;
      case ValueKind::result:
        place = port_of[r] >= 0 ? Place{Place::Space::output, port_of[r]} : Place{Place::Space::arena, 0, offset[r]};
        break;
    }
    storage.places.push_back(place);
  }
  return storage;
}

}  // namespace weft
