// Calls that build a graph. Reads like the paper:
//
//   GraphBuilder g(model, "decode");
//   auto ids = g.input("ids", DType::i32, {g.T()});
//   auto x = g.name(g.embedding(ids, g.weight("model.embed_tokens.weight", DType::q8_0, {v, c})), "embed_tokens");
//   …
//   g.output("logits", logits);
//   WEFT_CHECK_OK(g.finish());   // verifies and moves the graph into model.graphs
//
// A wrong shape does not abort: the first error is kept, later calls return values without meaning, finish() fails.
#pragma once

#include "graph/model.h"

namespace weft {

class GraphBuilder {
 public:
  GraphBuilder(Model& model, std::string graph_name);

  Dim symbol(std::string_view name);  // adds it on first use
  Dim T() { return symbol("T"); }     // tokens in this step
  Dim R() { return symbol("R"); }     // rows whose logits are wanted

  ValueId input(std::string port, DType dtype, Shape shape);
  // The same weight, constant or state declared twice (tied, or in two graphs) is one.
  ValueId weight(const std::string& hf_name, DType dtype, std::vector<int64_t> shape);
  ValueId constant(const std::string& name, std::vector<int64_t> shape, std::vector<float> data);
  ValueId state(const std::string& name, DType dtype, Shape shape, Rollback rollback);
  void output(std::string port, ValueId value);
  ValueId name(ValueId value, std::string tap);  // names a value for taps and returns it

  ValueId embedding(ValueId ids, ValueId table);
  ValueId rms_norm(ValueId x, ValueId weight, float eps);
  ValueId linear(ValueId x, ValueId weight, ValueId bias = kNoValue);
  ValueId rope(ValueId x, ValueId positions, ValueId inv_freq, float scale = 1, std::array<int32_t, 3> sections = {});
  ValueId kv_write(ValueId state, ValueId x, ValueId slots, ValueId cells);
  struct AttentionOptions {
    float scale = 1;
    int64_t window = 0;
    float cap = 0;
    bool causal = true;
  };
  ValueId attention(ValueId q, ValueId k, ValueId v, ValueId slots, ValueId cells, AttentionOptions options);
  ValueId add(ValueId a, ValueId b);
  ValueId mul(ValueId a, ValueId b);
  ValueId activation(ValueId x, Activation act);
  ValueId scale(ValueId x, float factor);
  ValueId softcap(ValueId x, float cap);
  ValueId gather_rows(ValueId x, ValueId rows);
  ValueId view(ValueId x, Shape shape);
  std::pair<ValueId, ValueId> linear_recurrence(ValueId state, ValueId a, ValueId b, ValueId slots);

  const Graph& graph() const { return graph_; }
  Model& model() { return model_; }
  bool ok() const { return status_.has_value(); }  // no error so far: values have meaning
  // Keeps the first error; for callers that find one of their own (a missing weight).
  void fail_with(Error error);
  Status finish();

 private:
  ValueId value(ValueKind kind, std::string name, int32_t index, ValueType type);
  Shape fixed_shape(const std::string& name, const std::vector<int64_t>& sizes);
  ValueId node(Op op, std::vector<ValueId> inputs, Attrs attrs = {}, std::vector<ValueType> wanted = {});
  Model& model_;
  Graph graph_;
  Status status_;
};

}  // namespace weft
