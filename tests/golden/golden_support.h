// A golden model, opened and ready to be interpreted.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graph/interpreter.h"
#include "models/registry.h"
#include "session/verify.h"
#include "support/support.h"

namespace weft::test {

struct Prompt {
  std::vector<int32_t> ids, greedy;
};

struct Golden {
  std::string name;
  std::shared_ptr<Weights> weights;
  Model model;
  ReferenceActivations reference;
  std::vector<Prompt> prompts;
  double atol = 0, rtol = 0;
  std::unique_ptr<Interpreter> interpreter;  // over `model`

  Golden() = default;
  Golden(const Golden&) = delete;
};

inline constexpr const char* kGoldens[] = {"llama", "llama3_rope", "llama_linear_rope", "llama_yarn", "qwen2",
                                           "qwen3", "gemma3",      "gemma3_linear_rope"};

// `form`: "model.gguf", "hf" or "hf_sharded" in tests/golden/<name>.
Result<std::unique_ptr<Golden>> open_golden(const std::string& name, const std::string& form, DType kv);

// The whole weight as floats.
HostTensor read_weight(Weights& weights, const WeightDecl& weight);

// 24 greedy ids with the interpreter: the prompt in one step, then one id a step.
Result<std::vector<int32_t>> greedy(Interpreter& interpreter, const Graph& graph, const Prompt& prompt);

}  // namespace weft::test
