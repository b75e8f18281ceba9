// Graph → Graph rewrites. Each pass is one file with a before/after text test; the result is verified after each.
#pragma once

#include "ops/kernel.h"

namespace weft {

// What a graph is rewritten for.
struct Target {
  Target(const Caps& device, int64_t most_tokens = 0) : caps(device), tokens(most_tokens) {}
  const Caps& caps;
  int64_t tokens;  // the bound on T, 0: any; 1: a decode plan
};

struct Pass {
  std::string_view name;
  std::string_view summary;               // one line, for --help and the dump
  bool (*applies)(const Target& target);  // nullptr: always
  void (*run)(Graph& graph, const Model& model, const Target& target);
};

std::span<const Pass> all_passes();  // in the order they run

struct PassReport {
  std::string name;
  int nodes_before = 0, nodes_after = 0;
  double ms = 0;  // the pass and the verification after it
};

// Rewrites keep the names of values that survive; a fused-away value loses its tap.
//
//   WEFT_TRY(Graph graph, run_passes(*model.graph("decode"), model, device.caps(), {}));
//
// Runs all passes but the disabled ones ("*" disables all). `unknown` names in `disabled` are invalid_argument.
// A graph that does not verify after a pass is `internal` and names the pass.
Result<Graph> run_passes(const Graph& graph, const Model& model, const Target& target,
                         std::span<const std::string> disabled, std::vector<PassReport>* report = nullptr);

}  // namespace weft
