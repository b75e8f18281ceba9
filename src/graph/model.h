// A model: named graphs over shared weights, constants and states. What src/models returns; nothing here names a
// backend, kernel or file.
#pragma once

#include "graph/graph.h"

namespace weft {

struct WeightDecl {
  std::string name;          // Hugging Face name
  DType dtype = DType::f32;  // as in the file
  std::vector<int64_t> shape;
};

struct ConstantDecl {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> data;
};

enum class Rollback : uint8_t { truncate, snapshot };

// State lives from step to step, one slot a sequence. truncate: forgetting the end is a matter of the length alone
// (KV cache); snapshot: going back needs a copy taken earlier (recurrent state).
struct StateDecl {
  std::string name;  // "layers.0.self_attn.k_cache"
  DType dtype = DType::f32;
  Shape shape;  // [N, …]: slot outermost; symbols are those of `Model::state_symbols`
  Rollback rollback = Rollback::truncate;
};

struct Model {
  std::string architecture;
  int64_t vocab_size = 0;
  int64_t context_length = 0;  // the longest the model was made for
  int64_t width = 0;           // C
  int64_t layers = 0;
  int position_axes = 1;
  std::vector<std::string> state_symbols{"N", "S"};
  std::vector<WeightDecl> weights;
  std::vector<ConstantDecl> constants;
  std::vector<StateDecl> states;
  std::vector<Graph> graphs;  // "decode" (ids in) and "decode_embeddings" ([T, C] in) for a language model

  const Graph* graph(std::string_view name) const;
  // Bytes of all states for N slots and S cells; of one slot when slots = 1.
  int64_t state_bytes(int64_t slots, int64_t cells) const;
};

}  // namespace weft
