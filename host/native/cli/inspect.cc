// weft inspect: what is in a model file and what running it needs, before anything large is loaded.
#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "command.h"
#include "file/tensor_file.h"
#include "models/registry.h"
#include "session/session.h"
#include "text/tokenizer.h"

namespace weft::cli {
namespace {

constexpr int64_t kDefaultContext = 4096;

struct Options {
  std::optional<std::string> model;
  std::string dump;
};

// The part of the answer that needs a model this build can run.
struct Runnable {
  Model model;
  Graph graph;  // after passes
  std::vector<PassReport> passes;
  Plan decode, prefill;
  Caps caps;
  MemoryUse memory;
  int64_t context = 0;
  int64_t total() const { return memory.weights + memory.states + memory.activations; }
};

Result<Runnable> make_runnable(Context& context, Weights& weights) {
  Runnable r;
  const LoadOptions options = context.load_options();
  WEFT_TRY(r.model, context.wait(build_model(weights, {.kv = options.kv})));
  const Graph* graph = r.model.graph("decode");
  if (!graph) return fail(Code::unsupported, context.common.model, "model", "a graph named decode", "none");
  r.context = context.common.context > 0 ? context.common.context : std::min(r.model.context_length, kDefaultContext);
  if (r.context > r.model.context_length) {
    return fail(Code::invalid_argument, context.common.model, "context",
                "at most the model's " + std::to_string(r.model.context_length), std::to_string(r.context));
  }
  WEFT_TRY(const auto device, context.wait(open_device(context.host, options)));
  r.caps = device->caps();
  Caps untuned = r.caps;  // as when loading: what was tuned are the kernels of this graph
  untuned.tuning = nullptr;
  WEFT_TRY(r.graph, run_passes(*graph, r.model, untuned, options.disabled_passes, &r.passes));
  WEFT_TRY(const Graph graph_of_one, run_passes(*graph, r.model, {untuned, 1}, options.disabled_passes));
  const auto plan = [&](const Graph& of, int64_t tokens) {
    return make_plan(r.model, of, r.caps, {.bounds = {{"T", tokens}, {"R", 1}, {"N", 1}, {"S", r.context}}});
  };
  WEFT_TRY(r.decode, plan(graph_of_one, 1));
  WEFT_TRY(r.prefill, plan(r.graph, prefill_tokens(options, r.caps, r.context)));
  const Plan* const plans[] = {&r.decode, &r.prefill};
  r.memory = memory_needed(r.model, plans);
  return r;
}

int64_t elements(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

struct FormatTotal {
  int64_t tensors = 0, parameters = 0, bytes = 0;
};
std::map<std::string, FormatTotal> formats_of(const TensorFile& file) {
  std::map<std::string, FormatTotal> totals;
  for (const TensorInfo& tensor : file.tensors()) {
    FormatTotal& total = totals[std::string(name(tensor.dtype))];
    ++total.tensors;
    total.parameters += elements(tensor.shape);
    total.bytes += static_cast<int64_t>(tensor.bytes);
  }
  return totals;
}

// Long arrays (vocabularies) by type and length only.
OrderedJson value_json(const MetaValue& value) {
  return std::visit(
      [&]<class T>(const T& v) -> OrderedJson {
        if constexpr (requires {
                        v.begin();
                        v.push_back(v.front());
                      } && !std::is_same_v<T, std::string>) {
          if (v.size() > 16) return {{"type", meta_type_name(value)}, {"count", v.size()}};
          return OrderedJson(std::vector<typename T::value_type>(v.begin(), v.end()));
        } else {
          return v;
        }
      },
      value);
}

OrderedJson document(const Context& context, const TensorFile& file, const Result<Runnable>& runnable) {
  OrderedJson json = {{"path", context.common.model},
                      {"format", file.format() == FileFormat::gguf ? "gguf" : "safetensors"},
                      {"bytes", file.total_bytes()},
                      {"parts", file.parts()}};
  OrderedJson metadata = OrderedJson::object(), tensors = OrderedJson::array(), formats = OrderedJson::object();
  for (const std::string& key : file.metadata().keys()) metadata[key] = value_json(*file.metadata().find(key));
  int64_t parameters = 0;
  for (const TensorInfo& t : file.tensors()) {
    tensors.push_back({{"name", t.name},
                       {"dtype", name(t.dtype)},
                       {"shape", t.shape},
                       {"part", t.part},
                       {"offset", t.offset},
                       {"bytes", t.bytes}});
    parameters += elements(t.shape);
  }
  for (const auto& [format_name, total] : formats_of(file)) {
    formats[format_name] = {{"tensors", total.tensors}, {"parameters", total.parameters}, {"bytes", total.bytes}};
  }
  const auto* arch = file.metadata().peek<std::string>("general.architecture");
  json["architecture"] = arch ? OrderedJson(*arch) : OrderedJson();
  json["parameters"] = parameters;
  json["formats"] = std::move(formats);
  if (runnable) {
    json["context_length"] = runnable->model.context_length;
    json["memory"] = {{"device", runnable->caps.name},           {"context", runnable->context},
                      {"weights", runnable->memory.weights},     {"state", runnable->memory.states},
                      {"working", runnable->memory.activations}, {"total", runnable->total()}};
  } else {
    json["memory"] = nullptr;
    json["error"] = runnable.error().message();
  }
  json["metadata"] = std::move(metadata);
  json["tensors"] = std::move(tensors);
  return json;
}

std::string overview(Context& context, TensorFile& file, const Result<Runnable>& runnable) {
  const auto line = [](const char* label, const std::string& text) {
    return styled(stdout, Style::dim, format("%-13s", label)) + text + "\n";
  };
  const auto size = [](auto bytes) { return human_bytes(static_cast<double>(bytes)); };
  int64_t parameters = 0;
  std::string formats;
  for (const auto& [format_name, total] : formats_of(file)) {
    parameters += total.parameters;
    formats += (formats.empty() ? "" : " · ") + format_name +
               format(" %s in %lld tensors", size(total.bytes).c_str(), static_cast<long long>(total.tensors));
  }
  std::string text = styled(stdout, Style::bold, context.common.model) + "\n";
  text += line("file", std::string(file.format() == FileFormat::gguf ? "GGUF" : "safetensors") + ", " +
                           size(file.total_bytes()) + (file.parts() > 1 ? format(" in %d parts", file.parts()) : ""));
  const auto* arch = file.metadata().peek<std::string>("general.architecture");
  const auto* title = file.metadata().peek<std::string>("general.name");
  if (title) text += line("name", *title);
  std::string architecture = arch ? *arch : "not stated";
  if (runnable) {
    const Model& m = runnable->model;
    architecture += format(", %lld layers of width %lld, vocabulary %lld, context %lld",
                           static_cast<long long>(m.layers), static_cast<long long>(m.width),
                           static_cast<long long>(m.vocab_size), static_cast<long long>(m.context_length));
  }
  text += line("architecture", architecture);
  text += line("parameters", human_count(static_cast<double>(parameters)));
  text += line("formats", formats.empty() ? "no tensors" : formats);
  const auto tokenizer = context.open_tokenizer();
  text += line("tokenizer", tokenizer
                                ? format("%s%s, %d tokens", (*tokenizer)->kind().c_str(),
                                         (*tokenizer)->pre().empty() ? "" : (" (" + (*tokenizer)->pre() + ")").c_str(),
                                         (*tokenizer)->vocab_size())
                                : tokenizer.error().message());
  const bool has_template =
      file.metadata().has("tokenizer.chat_template") || (tokenizer && !(*tokenizer)->chat_template().empty());
  text += line("chat", has_template ? "has a chat template" : "no chat template");
  if (!runnable) return text + line("runs", styled(stdout, Style::red, "no: ") + runnable.error().message());
  text += line("memory", size(runnable->total()) +
                             format(" for %lld tokens on ", static_cast<long long>(runnable->context)) +
                             runnable->caps.name);
  text += line("", size(runnable->memory.weights) + " weights + " + size(runnable->memory.states) + " cache + " +
                       size(runnable->memory.activations) + " working");
  return text;
}

std::string dump_file(const TensorFile& file) {
  std::string text;
  for (const std::string& key : file.metadata().keys())
    text += key + " = " + dump_json(value_json(*file.metadata().find(key))) + "\n";
  for (const TensorInfo& t : file.tensors()) {
    text += format("%-40s %-5s %-18s part %d offset %llu bytes %llu\n", t.name.c_str(),
                   std::string(name(t.dtype)).c_str(), dump_json(OrderedJson(t.shape)).c_str(), t.part,
                   static_cast<unsigned long long>(t.offset), static_cast<unsigned long long>(t.bytes));
  }
  return text;
}

Result<std::string> dump_weights(const Weights& weights) {
  std::string text;
  for (const std::string& weight_name : weights.names()) {
    WEFT_TRY(const WeightInfo w, weights.find(weight_name));
    constexpr const char* kTransforms[] = {"", "  interleaved_to_half_rope", "  add_one"};
    text += format("%-52s %-5s %s%s  from %s\n", w.name.c_str(), std::string(name(w.dtype)).c_str(),
                   dump_json(OrderedJson(w.shape)).c_str(), kTransforms[static_cast<int>(w.transform)],
                   w.tensor->name.c_str());
  }
  return text;
}

Result<std::string> dump(const std::string& what, const TensorFile& file, const Weights& weights,
                         const Result<Runnable>& runnable) {
  if (what == "file") return dump_file(file);
  if (what == "weights") return dump_weights(weights);
  if (!runnable) return fail(runnable.error());
  if (what == "graph") {
    std::string text;
    for (const Graph& graph : runnable->model.graphs) text += to_string(graph);
    return text;
  }
  if (what == "passes") {
    std::string text;
    for (const PassReport& pass : runnable->passes)
      text += format("# %s: %d -> %d nodes\n", pass.name.c_str(), pass.nodes_before, pass.nodes_after);
    return text + to_string(runnable->graph);
  }
  return to_string(runnable->decode) + to_string(runnable->prefill);
}

Outcome inspect(Context& context, const Options& o) {
  if (o.model) context.common.model = *o.model;
  std::vector<std::string> dumps;
  const std::set<std::string> known{"file", "weights", "graph", "passes", "plan"};
  for (size_t at = 0; at < o.dump.size();) {
    const size_t end = std::min(o.dump.find(',', at), o.dump.size());
    dumps.push_back(o.dump.substr(at, end - at));
    if (!known.contains(dumps.back())) {
      return usage_error("inspect", "--dump: '" + dumps.back() + "' is not one of file, weights, graph, passes, plan");
    }
    at = end + 1;
  }
  WEFT_TRY(const auto file, context.open_model());
  WEFT_TRY(const auto weights, Weights::create(file));
  const Result<Runnable> runnable = make_runnable(context, *weights);
  // A file that this build cannot run can still be looked at; a context that does not fit and a GPU that is not there
  // were asked for by hand.
  if (!runnable && (runnable.error().code == Code::invalid_argument || runnable.error().code == Code::no_device))
    return fail(runnable.error());
  if (context.common.json) {
    OrderedJson json = document(context, *file, runnable);
    for (const std::string& what : dumps) {
      WEFT_TRY(json["dump"][what], dump(what, *file, *weights, runnable));
    }
    WEFT_CHECK_OK(context.print_json(json));
    return kOk;
  }
  if (dumps.empty()) WEFT_CHECK_OK(context.print(overview(context, *file, runnable)));
  for (const std::string& what : dumps) {
    WEFT_TRY(const std::string text, dump(what, *file, *weights, runnable));
    if (dumps.size() > 1) WEFT_CHECK_OK(context.print("# " + what + "\n"));
    WEFT_CHECK_OK(context.print(text));
  }
  return kOk;
}

}  // namespace

Command inspect_command() {
  auto o = std::make_shared<Options>();
  return {"inspect",
          "Show what is in a model file and the memory it needs",
          "  weft inspect model.gguf\n"
          "  weft inspect -m model.gguf --ctx 32768 --kv q8_0\n"
          "  weft inspect model.gguf --dump=graph,plan\n"
          "  weft inspect model.gguf --device webgpu --caps chrome --dump=plan\n",
          kModel | kRun | kThreads | kJson,
          [o](Args& args) {
            args.positional("model-file", o->model, "the model; the same as -m").file();
            args.option("--dump", o->dump, "text forms: file, weights, graph, passes, plan, several with commas")
                .value("WHAT");
          },
          [o](Context& context) { return inspect(context, *o); }};
}

}  // namespace weft::cli
