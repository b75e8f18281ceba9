// Graph → Graph rewrites. Each pass is one file with a before/after text test; the result is verified after each.
#pragma once

#include "ops/kernel.h"

namespace weft {

struct Pass {
  std::string_view name;
  std::string_view summary;           // one line, for --help and the dump
  bool (*applies)(const Caps& caps);  // nullptr: on every device
  void (*run)(Graph& graph, const Model& model, const Caps& caps);
};

std::span<const Pass> all_passes();  // in the order they run

struct PassReport {
  std::string name;
  int nodes_before = 0, nodes_after = 0;
};

// Runs all passes but the disabled ones ("*" disables all). `unknown` names in `disabled` are invalid_argument.
Result<Graph> run_passes(const Graph& graph, const Model& model, const Caps& caps,
                         std::span<const std::string> disabled, std::vector<PassReport>* report = nullptr);

}  // namespace weft
