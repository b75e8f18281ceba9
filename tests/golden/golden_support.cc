#include "golden_support.h"

#include <algorithm>

#include "base/json.h"
#include "ops/kernel.h"
#include "weights/formats.h"

namespace weft::test {
namespace {

std::vector<int32_t> ids_of(const Json& list) {
  std::vector<int32_t> ids;
  for (const Json& id : list) ids.push_back(id.get<int32_t>());
  return ids;
}

}  // namespace

HostTensor read_weight(Weights& weights, const WeightDecl& weight) {
  const Result<WeightInfo> info = weights.find(weight.name);
  CHECK(info.has_value());
  const Result<WeightBytes> bytes = run(weights.read(*info));
  CHECK(bytes.has_value());
  HostTensor tensor{.shape = weight.shape};
  tensor.f32.resize(static_cast<size_t>(tensor.elements()));
  dequantize(info->dtype, bytes->bytes.data(), tensor.f32.data(), tensor.elements());
  return tensor;
}

Result<std::unique_ptr<Golden>> open_golden(const std::string& name, const std::string& form, DType kv) {
  TestHost host;
  auto golden = std::make_unique<Golden>();
  golden->name = name;
  const std::string dir = golden_dir(name);
  WEFT_TRY(auto file, run(open_tensor_file(host, dir + "/" + form)));
  WEFT_TRY(golden->weights, Weights::create(file));
  WEFT_TRY(golden->model, run(build_model(*golden->weights, {.kv = kv})));
  WEFT_TRY(auto acts, run(open_tensor_file(host, dir + "/acts.safetensors")));
  WEFT_TRY(golden->reference, run(ReferenceActivations::load(*acts)));
  WEFT_TRY(const Json json, parse_json(read_text(dir + "/golden.json"), dir + "/golden.json"));
  for (const Json& prompt : json["prompts"]) {
    golden->prompts.push_back({ids_of(prompt["ids"]), ids_of(prompt["greedy"])});
  }
  golden->atol = json["tolerances"]["f32"]["atol"].get<double>();
  golden->rtol = json["tolerances"]["f32"]["rtol"].get<double>();
  golden->interpreter = std::make_unique<Interpreter>(golden->model, reference_table(), [g = golden.get()](int i) {
    return read_weight(*g->weights, g->model.weights[i]);
  });
  return golden;
}

Result<std::vector<int32_t>> greedy(Interpreter& interpreter, const Graph& graph, const Prompt& prompt) {
  std::vector<int32_t> out;
  std::vector<float> last;
  const VerifyStep step = interpreter_step(interpreter, graph);
  const TapSink sink = [&](const std::string& name, std::span<const int64_t> shape, std::span<const float> values) {
    if (name == "logits") last.assign(values.end() - shape[1], values.end());
  };
  int64_t first = 0;
  std::vector<int32_t> next = prompt.ids;
  while (out.size() < prompt.greedy.size()) {
    WEFT_CHECK_OK(run(step(first, next, sink)));
    first += static_cast<int64_t>(next.size());
    out.push_back(static_cast<int32_t>(std::max_element(last.begin(), last.end()) - last.begin()));
    next = {out.back()};
  }
  return out;
}

}  // namespace weft::test
