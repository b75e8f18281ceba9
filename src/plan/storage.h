// The memory plan: which values share storage, and where in the arena each storage lies. For make_plan and its tests.
#pragma once

#include "plan/plan.h"

namespace weft {

// By value: where it lives. `arena_bytes` and `peak_values` as in Plan.
struct Storage {
  std::vector<Place> places;
  int64_t arena_bytes = 0;
  int64_t peak_values = 0;
};

// `graph` is verified, its output ports name results of their own, and every size fits (check_sizes). On a GPU storages
// are aligned for bindings and nothing is computed in place: a buffer's range is bound once in a dispatch.
Storage assign_storage(const Graph& graph, std::span<const int64_t> bounds, Caps::Kind kind = Caps::Kind::cpu);

// Gives output ports that share storage with anything but an ordinary result a copy (scale by 1).
Status copy_shared_outputs(Graph& graph);

}  // namespace weft
