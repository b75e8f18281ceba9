// What the decoder-only language models share: their two graphs, the front (ids or embeddings in), cached attention,
// the gated MLP, and the back (final norm, logits of the rows asked for). A model writes only its layer:
//
//   return build_decoder(model, weights, options, [&](Decoder& d, int64_t i, ValueId x) {
//     Scope layer = d.scope / "layers" / i;
//     …
//     return layer.tap(d.g.add(x, y), "residual_mlp");
//   });
//
// Ports of both graphs: ids [T] i32 ("decode") or embeddings [T, C] ("decode_embeddings", already scaled); positions
// [T, 1] i32; slots, cells [T] i32: where in the cache each row is kept; rows [R] i32: the rows whose logits are
// wanted. Out: norm [R, C] (the final hidden state) and logits [R, V].
#pragma once

#include "blocks/scope.h"

namespace weft {

struct DecoderOptions {
  int64_t vocabulary = 0, width = 0, layers = 0;
  float eps = 1e-5f;
  float embedding_scale = 1;  // of ids only: embeddings given from outside are used as they are
  float logit_cap = 0;        // 0: none
  DType kv = DType::f16;
};

// What a layer may use. Shapes as above.
struct Decoder {
  GraphBuilder& g;
  Scope scope;  // "model"
  DecoderOptions options;
  ValueId positions, slots, cells;
};

using DecoderLayer = std::function<ValueId(Decoder& decoder, int64_t layer, ValueId x)>;

// Adds both graphs to `model`.
Status build_decoder(Model& model, const WeightTable& weights, const DecoderOptions& options,
                     const DecoderLayer& layer);

// Writes k and v [T, K, D] to the states <scope>.k_cache and .v_cache and attends to them with q [T, H, D].
// Named: attn [T, H*D], and the states after writing: k_written, v_written.
ValueId cached_attention(Decoder& d, const Scope& scope, ValueId q, ValueId k, ValueId v,
                         GraphBuilder::AttentionOptions options);

// x [T, H*D] as heads [T, H, D].
ValueId split_heads(GraphBuilder& g, ValueId x, int64_t head_size);

// down(act(gate(x)) * up(x)), x [T, C]. Shazeer 2020, "GLU Variants Improve Transformer".
ValueId gated_mlp(const Scope& scope, ValueId x, int64_t ffn, Activation act);

}  // namespace weft
