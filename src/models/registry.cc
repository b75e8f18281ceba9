#include "models/registry.h"

#include <algorithm>
#include <set>

#include "models/config.h"

namespace weft {
namespace {

struct Row {
  std::string_view architecture;
  BuildFunction build;
};
constexpr Row kRows[] = {
    {"llama", build_llama},
    {"qwen2", build_qwen2},
    {"qwen3", build_qwen3},
    {"gemma3", build_gemma3},
};

// A tensor that a layer has and the model never asked for means another model of the same name: refuse it rather than
// compute something else. Tensors outside the layers (pictures, rope tables) do not change what the text model
// computes.
Status check_all_used(const Weights& weights, const Model& model) {
  std::set<std::string> used;
  for (const WeightDecl& w : model.weights) used.insert(w.name);
  for (const std::string& name : weights.names()) {
    const bool of_layer = name.starts_with("model.layers.") || name.starts_with("blk.");
    const bool derived = name.ends_with(".rotary_emb.inv_freq");  // old checkpoints keep it though it follows
    if (of_layer && !derived && !used.contains(name)) {
      return fail(Code::unsupported, weights.file().name(), "weight '" + name + "'",
                  "only tensors that the " + model.architecture + " architecture uses", "this one");
    }
  }
  return {};
}

}  // namespace

std::span<const std::string_view> known_architectures() {
  static constexpr auto names = [] {
    std::array<std::string_view, std::size(kRows)> list;
    for (size_t i = 0; i < list.size(); ++i) list[i] = kRows[i].architecture;
    return list;
  }();
  return names;
}

Task<Result<Model>> build_model(Weights& weights, ModelOptions options) {
  const std::string& source = weights.metadata().source();
  WEFT_CO_TRY(const std::string architecture, weights.metadata().get<std::string>("general.architecture"));
  const auto row =
      std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.architecture == architecture; });
  if (row == std::end(kRows)) {
    std::string known;
    for (const Row& r : kRows) known += (known.empty() ? "" : ", ") + std::string(r.architecture);
    co_return fail(Code::unsupported, source, "architecture", "one of " + known, "'" + architecture + "'");
  }
  WEFT_CO_TRY(const Config config, co_await read_config(weights, options));
  Model model{.architecture = architecture,
              .vocab_size = config.vocabulary,
              .context_length = config.context,
              .width = config.width,
              .layers = config.layers};
  const WeightTable table{
      .has = [&](const std::string& name) { return weights.has(name); },
      .find = [&](const std::string& name) -> Result<WeightDecl> {
        WEFT_TRY(const WeightInfo info, weights.find(name));
        return WeightDecl{name, info.dtype, info.shape};
      },
  };
  WEFT_CO_CHECK_OK(row->build(model, table, config));
  WEFT_CO_CHECK_OK(check_all_used(weights, model));
  co_return model;
}

}  // namespace weft
