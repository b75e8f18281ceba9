// The seams that later models need, on toys and on a golden: two graphs of one model (an encoder and a decoder that
// attends to what it made), embeddings as input, two sequences in one step. Each runs through the interpreter and
// through a plan on the CPU, and is compared with the formula written out or with the ordinary way.
#include <cmath>
#include <random>

#include "cpu/cpu_device.h"
#include "graph/builder.h"
#include "models/registry.h"
#include "session/model_impl.h"
#include "session_support.h"
#include "weights/formats.h"

namespace weft {
namespace {

using namespace weft::test;

using Inputs = std::map<std::string, HostTensor>;

HostTensor ints(std::vector<int32_t> values, int64_t axes = 0) {
  HostTensor tensor{.is_i32 = true};
  tensor.shape = {static_cast<int64_t>(values.size())};
  if (axes) tensor.shape = {static_cast<int64_t>(values.size()) / axes, axes};
  tensor.i32 = std::move(values);
  return tensor;
}
HostTensor floats(std::vector<int64_t> shape, std::vector<float> values) {
  return {.shape = std::move(shape), .f32 = std::move(values)};
}

// Runs graphs of one model both ways and insists that they agree.
class BothWays {
 public:
  BothWays(const Model& model, std::unique_ptr<WeightReader> reader, std::map<std::string, int64_t> symbols,
           std::function<HostTensor(int)> weight)
      : model_(model),
        symbols_(std::move(symbols)),
        reader_(std::move(reader)),
        interpreter_(model, reference_table(), std::move(weight)) {
    auto device = make_cpu_device(host_, 2);
    EXPECT_TRUE(device.has_value());
    device_ = *std::move(device);
    EXPECT_OK(run(device_->load(model_, {}, *reader_, {}, nullptr)));
    const std::map<std::string, int64_t> states{{"N", symbols_["N"]}, {"S", symbols_["S"]}};
    interpreter_.reset_states(states);
    const std::vector<std::pair<std::string, int64_t>> sizes(states.begin(), states.end());
    EXPECT_OK(run(device_->create_states(model_, sizes)));
  }

  // `actual`: sizes of this run's symbols. The output `port` as floats.
  std::vector<float> run_graph(const std::string& name, const Inputs& inputs, std::map<std::string, int64_t> actual,
                               const std::string& port) {
    const Graph& decoded = *model_.graph(name);
    auto interpreted = interpreter_.run(decoded, inputs);
    EXPECT_TRUE(interpreted.has_value()) << interpreted.error().message();
    if (!interpreted) return {};
    const std::vector<float>& wanted = interpreted->find(port)->second.f32;

    auto passed = run_passes(decoded, model_, device_->caps(), {});
    EXPECT_TRUE(passed.has_value());
    PlanOptions bounds;
    for (const std::string& symbol : passed->symbols) bounds.bounds.emplace_back(symbol, symbols_[symbol]);
    auto made = make_plan(model_, *passed, device_->caps(), bounds);
    EXPECT_TRUE(made.has_value()) << made.error().message();
    if (!made) return {};
    plans_.push_back(std::make_unique<Plan>(*std::move(made)));
    const Plan& plan = *plans_.back();
    EXPECT_OK(run(device_->prepare(plan)));
    Bindings bindings{.symbols = plan.bounds};
    for (const auto& [symbol, size] : actual)
      if (const SymbolId id = plan.graph.symbol(symbol); id != kNoSymbol) bindings.symbols[id] = size;
    for (const Port& input : plan.graph.inputs) {
      const HostTensor& tensor = inputs.find(input.name)->second;
      bindings.inputs.push_back(tensor.is_i32 ? std::as_bytes(std::span(tensor.i32))
                                              : std::as_bytes(std::span(tensor.f32)));
    }
    EXPECT_OK(run(device_->submit(plan, bindings, nullptr, nullptr)));
    std::vector<float> got(wanted.size());
    for (size_t i = 0; i < plan.graph.outputs.size(); ++i)
      if (plan.graph.outputs[i].name == port)
        EXPECT_OK(run(device_->read(plan, static_cast<int>(i), std::as_writable_bytes(std::span(got)))));
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-3 + 1e-3 * std::abs(wanted[i])) << i;
    return got;
  }

 private:
  TestHost host_;
  const Model& model_;
  std::map<std::string, int64_t> symbols_;
  std::unique_ptr<WeightReader> reader_;
  Interpreter interpreter_;
  std::unique_ptr<Device> device_;
  std::vector<std::unique_ptr<Plan>> plans_;
};

constexpr int64_t kVocab = 24, kWidth = 32;

// One head as wide as the model, no norms: small enough to write out below.
Model translator() {
  Model model;
  model.architecture = "translator";
  model.vocab_size = kVocab;
  model.context_length = 64;
  model.width = kWidth;
  const auto heads = [](GraphBuilder& g, ValueId x, Dim rows) { return g.view(x, {rows, Dim{1}, Dim{kWidth}}); };
  {
    GraphBuilder g(model, "encode");
    const Dim e = g.symbol("E");
    const ValueId x = g.embedding(g.input("ids", DType::i32, {e}), g.weight("table", DType::f32, {kVocab, kWidth}));
    const auto project = [&](const char* name) {
      return heads(g, g.linear(x, g.weight(name, DType::f32, {kWidth, kWidth})), e);
    };
    const ValueId seen = g.attention(project("enc.q"), project("enc.k"), project("enc.v"), kNoValue, kNoValue,
                                     {.scale = 0.2f, .causal = false});
    g.output("memory", g.add(x, g.view(seen, {e, Dim{kWidth}})));
    EXPECT_OK(g.finish());
  }
  {
    GraphBuilder g(model, "decode");
    const Dim e = g.symbol("E"), t = g.T();
    const ValueId ids = g.input("ids", DType::i32, {t}), slots = g.input("slots", DType::i32, {t});
    const ValueId cells = g.input("cells", DType::i32, {t}), rows = g.input("rows", DType::i32, {g.R()});
    const ValueId memory = g.input("memory", DType::f32, {e, Dim{kWidth}});
    ValueId x = g.embedding(ids, g.weight("table", DType::f32, {kVocab, kWidth}));
    const auto project = [&](ValueId from, const char* name, Dim count) {
      return heads(g, g.linear(from, g.weight(name, DType::f32, {kWidth, kWidth})), count);
    };
    const Shape cache{g.symbol("N"), Dim{1}, g.symbol("S"), Dim{kWidth}};
    const ValueId k =
        g.kv_write(g.state("k", DType::f32, cache, Rollback::truncate), project(x, "self.k", t), slots, cells);
    const ValueId v =
        g.kv_write(g.state("v", DType::f32, cache, Rollback::truncate), project(x, "self.v", t), slots, cells);
    x = g.add(x, g.view(g.attention(project(x, "self.q", t), k, v, slots, cells, {.scale = 0.2f}), {t, Dim{kWidth}}));
    const ValueId crossed =
        g.attention(project(x, "cross.q", t), project(memory, "cross.k", e), project(memory, "cross.v", e), kNoValue,
                    kNoValue, {.scale = 0.2f, .causal = false});
    x = g.add(x, g.view(crossed, {t, Dim{kWidth}}));
    g.output("logits", g.linear(g.gather_rows(x, rows), g.weight("table", DType::f32, {kVocab, kWidth})));
    EXPECT_OK(g.finish());
  }
  return model;
}

using Matrix = std::vector<std::vector<double>>;

// The formulas themselves.
struct Formula {
  const std::map<std::string, std::vector<float>>& weights;
  Matrix embed(const std::vector<int32_t>& ids) const {
    Matrix out;
    const auto& table = weights.find("table")->second;
    for (int32_t id : ids) out.emplace_back(table.begin() + id * kWidth, table.begin() + (id + 1) * kWidth);
    return out;
  }
  Matrix linear(const Matrix& x, const std::string& name) const {
    const auto& w = weights.find(name)->second;
    Matrix out;
    for (const auto& row : x) {
      out.emplace_back(w.size() / kWidth);
      for (size_t n = 0; n < out.back().size(); ++n)
        for (int64_t c = 0; c < kWidth; ++c) out.back()[n] += row[c] * w[n * kWidth + c];
    }
    return out;
  }
  Matrix attend(const Matrix& x, const Matrix& from, const std::string& name, bool causal) const {
    const Matrix q = linear(x, name + ".q"), k = linear(from, name + ".k"), v = linear(from, name + ".v");
    Matrix out = x;  // residual
    for (size_t t = 0; t < x.size(); ++t) {
      std::vector<double> share;
      double sum = 0;
      for (size_t s = 0; s < (causal ? t + 1 : from.size()); ++s) {
        double dot = 0;
        for (int64_t c = 0; c < kWidth; ++c) dot += q[t][c] * k[s][c];
        share.push_back(std::exp(0.2 * dot));
        sum += share.back();
      }
      for (size_t s = 0; s < share.size(); ++s)
        for (int64_t c = 0; c < kWidth; ++c) out[t][c] += share[s] / sum * v[s][c];
    }
    return out;
  }
};

std::vector<float> flat(const Matrix& m) {
  std::vector<float> out;
  for (const auto& row : m) out.insert(out.end(), row.begin(), row.end());
  return out;
}

void expect_near(const std::vector<float>& got, const std::vector<float>& wanted, double tolerance) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], wanted[i], tolerance) << i;
}

TEST(Toys, AnEncoderAndADecoderThatAttendsToIt) {
  const Model model = translator();
  ASSERT_EQ(model.graphs.size(), 2u);
  std::map<std::string, std::vector<float>> weights;
  std::mt19937 random(6);
  std::normal_distribution<float> normal(0, 0.3f);
  for (const WeightDecl& decl : model.weights) {
    auto& values = weights[decl.name];
    for (int64_t i = 0; i < decl.shape[0] * decl.shape[1]; ++i) values.push_back(normal(random));
  }
  BothWays both(model, std::make_unique<MemoryWeights>(model, weights),
                {{"T", 8}, {"R", 8}, {"E", 16}, {"N", 1}, {"S", 32}},
                [&](int i) { return floats(model.weights[i].shape, weights[model.weights[i].name]); });
  const Formula formula{weights};
  const std::vector<int32_t> source{3, 9, 17, 4, 4, 21, 0}, target{1, 5, 2, 8, 13};
  const auto source_length = static_cast<int64_t>(source.size());

  const Matrix memory = formula.attend(formula.embed(source), formula.embed(source), "enc", false);
  const auto encoded = both.run_graph("encode", {{"ids", ints(source)}}, {{"E", source_length}}, "memory");
  expect_near(encoded, flat(memory), 1e-4);

  Matrix x = formula.embed(target);
  x = formula.attend(x, x, "self", true);
  x = formula.attend(x, memory, "cross", false);
  const std::vector<float> logits = flat(formula.linear(x, "table"));
  // First three tokens in one step, then one by one.
  std::vector<float> got;
  for (size_t at = 0; at < target.size(); at += at == 0 ? 3 : 1) {
    const std::vector<int32_t> ids(target.begin() + at, target.begin() + (at == 0 ? 3 : at + 1));
    std::vector<int32_t> cells, rows;
    for (size_t i = 0; i < ids.size(); ++i) cells.push_back(static_cast<int32_t>(at + i)), rows.push_back(i);
    const auto count = static_cast<int64_t>(ids.size());
    const auto part = both.run_graph("decode",
                                     {{"ids", ints(ids)},
                                      {"slots", ints(std::vector<int32_t>(ids.size(), 0))},
                                      {"cells", ints(cells)},
                                      {"rows", ints(rows)},
                                      {"memory", floats({source_length, kWidth}, encoded)}},
                                     {{"T", count}, {"R", count}, {"E", source_length}}, "logits");
    got.insert(got.end(), part.begin(), part.end());
  }
  expect_near(got, logits, 1e-3);

  // A session is for models that need token ids only, and says so.
  TestHost host;
  EXPECT_ERROR(Code::unsupported, run(LanguageModel::create(
                                      host, model, std::make_unique<MemoryWeights>(model, weights), {.threads = 1})));
}

// A golden's model with all that BothWays needs.
struct GoldenModel {
  TestHost host;
  std::shared_ptr<Weights> weights;
  Model model;

  Status open(const std::string& name) {
    WEFT_TRY(auto file, run(open_tensor_file(host, golden_dir(name) + "/model.gguf")));
    WEFT_TRY(weights, Weights::create(file));
    WEFT_TRY(model, run(build_model(*weights, {.kv = DType::f32})));
    return {};
  }
  HostTensor weight(int i) {
    const auto info = weights->find(model.weights[i].name);
    const auto bytes = run(weights->read(*info));
    int64_t elements = 1;
    for (int64_t size : info->shape) elements *= size;
    std::vector<float> values(static_cast<size_t>(elements));
    dequantize(info->dtype, bytes->bytes.data(), values.data(), elements);
    return floats(info->shape, std::move(values));
  }
  std::unique_ptr<BothWays> both_ways() {
    return std::make_unique<BothWays>(model, *FileWeightReader::create(weights, model),
                                      std::map<std::string, int64_t>{{"T", 32}, {"R", 32}, {"N", 2}, {"S", 64}},
                                      [this](int i) { return weight(i); });
  }
};

// Rows of several sequences: (slot, cell, id).
struct Row {
  int32_t slot, cell, id;
};
Inputs inputs_of(const std::vector<Row>& rows) {
  std::vector<int32_t> ids, slots, cells, wanted;
  for (const Row& row : rows) {
    ids.push_back(row.id);
    slots.push_back(row.slot);
    cells.push_back(row.cell);
    wanted.push_back(static_cast<int32_t>(wanted.size()));
  }
  return {{"ids", ints(ids)},
          {"positions", ints(cells, 1)},
          {"slots", ints(slots)},
          {"cells", ints(cells)},
          {"rows", ints(wanted)}};
}

TEST(Toys, EmbeddingsAsInput) {
  for (const char* name : {"llama", "qwen3"}) {
    GoldenModel golden;
    ASSERT_OK(golden.open(name));
    const std::vector<int32_t> ids = golden_prompts(name)[0].ids;
    std::vector<Row> rows;
    for (size_t i = 0; i < ids.size(); ++i) rows.push_back({0, static_cast<int32_t>(i), ids[i]});
    const auto count = static_cast<int64_t>(ids.size());
    Inputs inputs = inputs_of(rows);
    const auto wanted = golden.both_ways()->run_graph("decode", inputs, {{"T", count}, {"R", count}}, "logits");

    int table = 0;
    while (golden.model.weights[table].name != "model.embed_tokens.weight") ++table;
    const HostTensor embeddings = golden.weight(table);
    std::vector<float> x;
    for (int32_t id : ids)
      x.insert(x.end(), embeddings.f32.begin() + id * golden.model.width,
               embeddings.f32.begin() + (id + 1) * golden.model.width);
    inputs.erase("ids");
    inputs["embeddings"] = floats({count, golden.model.width}, x);
    const auto got = golden.both_ways()->run_graph("decode_embeddings", inputs, {{"T", count}, {"R", count}}, "logits");
    expect_near(got, wanted, 1e-4);
  }
}

TEST(Toys, TwoSequencesInOneStep) {
  GoldenModel golden;
  ASSERT_OK(golden.open("llama"));
  const auto prompts = golden_prompts("llama");
  const std::vector<int32_t> a(prompts[0].ids.begin(), prompts[0].ids.begin() + 7),
      b(prompts[1].ids.begin(), prompts[1].ids.begin() + 5);
  const size_t vocab = static_cast<size_t>(golden.model.vocab_size);
  const auto alone = [&](const std::vector<int32_t>& ids, int32_t slot) {
    std::vector<Row> rows;
    for (size_t i = 0; i < ids.size(); ++i) rows.push_back({slot, static_cast<int32_t>(i), ids[i]});
    const auto count = static_cast<int64_t>(ids.size());
    return golden.both_ways()->run_graph("decode", inputs_of(rows), {{"T", count}, {"R", count}}, "logits");
  };
  const auto wanted_a = alone(a, 0), wanted_b = alone(b, 1);

  // Three tokens of a and two of b, interleaved; then the rest of both in another order.
  auto both = golden.both_ways();
  const std::vector<std::vector<Row>> steps{
      {{0, 0, a[0]}, {1, 0, b[0]}, {0, 1, a[1]}, {1, 1, b[1]}, {0, 2, a[2]}},
      {{1, 2, b[2]}, {1, 3, b[3]}, {0, 3, a[3]}, {0, 4, a[4]}, {1, 4, b[4]}, {0, 5, a[5]}, {0, 6, a[6]}}};
  for (const auto& rows : steps) {
    const auto count = static_cast<int64_t>(rows.size());
    const auto got = both->run_graph("decode", inputs_of(rows), {{"T", count}, {"R", count}}, "logits");
    ASSERT_EQ(got.size(), rows.size() * vocab);
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto& wanted = rows[i].slot == 0 ? wanted_a : wanted_b;
      for (size_t v = 0; v < vocab; ++v)
        ASSERT_NEAR(got[i * vocab + v], wanted[static_cast<size_t>(rows[i].cell) * vocab + v], 1e-4)
            << "slot " << rows[i].slot << ", cell " << rows[i].cell;
    }
  }
}

}  // namespace
}  // namespace weft
