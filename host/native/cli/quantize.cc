// weft quantize: another number format for the matrices of a model, tensor by tensor, into a GGUF file.
//
// Rules: matrices get TYPE; vectors (norms, biases) and routers of experts stay or become f32; the output matrix (or
// the embedding that serves as one) gets at least q6_k, because errors there go straight into the probabilities
// (--pure: TYPE); where a row is no whole number of blocks, type_for_row() says what takes its place.
#include <algorithm>

#include "command.h"
#include "disk.h"
#include "file/gguf_writer.h"
#include "native_host.h"
#include "parallel.h"
#include "synth_shapes.h"
#include "weights/formats.h"
#include "weights/names.h"
#include "weights/weights.h"

namespace weft::cli {
namespace {

struct Options {
  std::string in, out, type;
  bool pure = false;
  int64_t threads = 0;
};

constexpr DType kTypes[] = {DType::f32,  DType::f16,  DType::bf16, DType::q8_0, DType::q4_0, DType::q4_1, DType::q5_0,
                            DType::q5_1, DType::q2_k, DType::q3_k, DType::q4_k, DType::q5_k, DType::q6_k};
constexpr int64_t kPieceElements = int64_t{1} << 18;

// One tensor of the new file and where its values come from: the tensor as it is in a GGUF file, or a weight under its
// Hugging Face name, in Hugging Face's row order.
struct Item {
  std::string name;
  std::vector<int64_t> shape;
  DType from = DType::f32, to = DType::f32;
  const TensorInfo* tensor = nullptr;
  std::optional<WeightInfo> weight;
  int64_t head_dim = 0;       // rows to be put into llama's interleaved order
  std::vector<float> values;  // computed, instead of read
  int64_t row() const { return shape.empty() ? 1 : shape.back(); }
  int64_t rows() const {
    int64_t n = 1;
    for (size_t i = 0; i + 1 < shape.size(); ++i) n *= shape[i];
    return n;
  }
};

double bits(DType type) { return 8.0 * info(type).bytes / info(type).block; }

DType wanted_type(const Item& item, DType type, bool output, bool pure) {
  if (item.shape.size() < 2 || item.name.find("ffn_gate_inp") != std::string::npos) return DType::f32;
  if (output && !pure && bits(type) < bits(DType::q6_k)) type = DType::q6_k;
  return type_for_row(type, item.row());
}

Result<std::vector<Item>> plan_gguf(const TensorFile& file, DType type, bool pure) {
  std::vector<Item> items;
  const bool tied = !file.find("output.weight");
  for (const TensorInfo& tensor : file.tensors()) {
    Item item{.name = tensor.name, .shape = tensor.shape, .from = tensor.dtype, .tensor = &tensor};
    item.to = wanted_type(item, type, tensor.name == (tied ? "token_embd.weight" : "output.weight"), pure);
    items.push_back(std::move(item));
  }
  return items;
}

Result<std::vector<Item>> plan_safetensors(const Weights& weights, Metadata& meta, DType type, bool pure) {
  WEFT_TRY(const std::string arch, meta.get<std::string>("general.architecture"));
  WEFT_TRY(const int64_t head_dim, meta.get_or<int64_t>(arch + ".attention.key_length", 0));
  std::vector<Item> items;
  const bool tied = !weights.has("lm_head.weight");
  for (const std::string& name : weights.names()) {
    WEFT_TRY(const WeightInfo weight, weights.find(name));
    Item item{.name = gguf_name(arch, name), .shape = weight.shape, .from = weight.dtype, .weight = weight};
    if (item.name == name) continue;  // nothing that the architecture reads, such as saved rotary tables
    const bool rotates =
        name.find("self_attn.q_proj.") != std::string::npos || name.find("self_attn.k_proj.") != std::string::npos;
    if (arch == "llama" && rotates) item.head_dim = head_dim;
    item.to = wanted_type(item, type, name == (tied ? "model.embed_tokens.weight" : "lm_head.weight"), pure);
    items.push_back(std::move(item));
  }
  // Llama 3's scaling is written as other converters write it: a tensor of divisors, no keys.
  const std::string scaling = arch + ".rope.scaling.";
  if (const auto* kind = meta.peek<std::string>(scaling + "type"); kind && *kind == "llama3") {
    WEFT_TRY(const double base, meta.get<double>(arch + ".rope.freq_base"));
    WEFT_TRY(const double factor, meta.get<double>(scaling + "factor"));
    WEFT_TRY(const double low, meta.get_or<double>(scaling + "low_freq_factor", 1));
    WEFT_TRY(const double high, meta.get_or<double>(scaling + "high_freq_factor", 4));
    WEFT_TRY(const int64_t original, meta.get_or<int64_t>(scaling + "original_context_length", 8192));
    Item item{.name = "rope_freqs.weight"};
    item.values = llama3_rope_factors({base, factor, low, high, static_cast<double>(original)}, head_dim);
    item.shape = {static_cast<int64_t>(item.values.size())};
    items.push_back(std::move(item));
    for (const char* key : {"type", "factor", "low_freq_factor", "high_freq_factor", "original_context_length"}) {
      meta.remove(scaling + key);
    }
  }
  return items;
}

// Row j of a head goes to 2j, row j + D/2 to 2j + 1: the inverse of what reading a llama GGUF file does.
void to_interleaved(std::vector<float>& values, int64_t rows, int64_t row, int64_t head_dim) {
  std::vector<float> head(static_cast<size_t>(head_dim * row));
  for (int64_t first = 0; first + head_dim <= rows; first += head_dim) {
    float* const data = values.data() + first * row;
    std::copy(data, data + head_dim * row, head.begin());
    for (int64_t j = 0; j < head_dim; ++j) {
      const int64_t to = j < head_dim / 2 ? 2 * j : 2 * (j - head_dim / 2) + 1;
      std::copy(head.begin() + j * row, head.begin() + (j + 1) * row, data + to * row);
    }
  }
}

// Copies where the type stays, else decodes and encodes pieces of whole rows on all threads.
Status convert(Context& context, const Options& o, const Item& item, std::span<const std::byte> in,
               std::vector<std::byte>& out) {
  const int64_t row = item.row(), rows = static_cast<int64_t>(in.size()) / row_bytes(item.from, row);
  if (item.from == item.to && item.head_dim == 0) {
    out.assign(in.begin(), in.end());
    return {};
  }
  if (!can_dequantize(item.from)) {
    return fail(Code::unsupported, o.in, "tensor '" + item.name + "'", "a number format that can be read",
                std::string(name(item.from)));
  }
  out.resize(static_cast<size_t>(rows * row_bytes(item.to, row)));
  // A bias in rope order is one row whose elements are the rows of the matrix.
  const bool vector = item.shape.size() == 1;
  const int64_t unit = item.head_dim > 0 && !vector ? item.head_dim : 1;
  const int64_t piece = std::max(unit, kPieceElements / row / unit * unit);
  parallel_for(context.host, o.threads, (rows + piece - 1) / piece, [&](int64_t i) {
    const int64_t first = i * piece, count = std::min(piece, rows - first);
    std::vector<float> values(static_cast<size_t>(count * row));
    dequantize(item.from, in.data() + first * row_bytes(item.from, row), values.data(), count * row);
    if (item.head_dim > 0) to_interleaved(values, vector ? row : count, vector ? 1 : row, item.head_dim);
    quantize(item.to, values.data(), out.data() + first * row_bytes(item.to, row), count * row);
  });
  return {};
}

Status write_item(Context& context, const Options& o, TensorFile& file, Weights* weights, const Item& item,
                  GgufWriter& writer, const std::function<void(int64_t)>& progress) {
  if (interrupt_flag().cancelled()) return fail(Code::cancelled, o.out, "stopped by Ctrl-C");
  std::vector<std::byte> out;
  if (!item.values.empty()) return writer.write(std::as_bytes(std::span(item.values)));
  const int64_t chunk_bytes = int64_t{32} << 20;
  const auto put = [&](std::span<const std::byte> rows) -> Status {
    if (interrupt_flag().cancelled()) return fail(Code::cancelled, o.out, "stopped by Ctrl-C");
    WEFT_CHECK_OK(convert(context, o, item, rows, out));
    progress(static_cast<int64_t>(rows.size()));
    return writer.write(out);
  };
  if (item.weight) {
    // Whole heads at a time, where rows move.
    const int64_t head_bytes = item.head_dim * row_bytes(item.from, item.row());
    return context.wait(weights->read_rows(
        *item.weight,
        std::max(chunk_bytes, head_bytes) / std::max<int64_t>(head_bytes, 1) * std::max<int64_t>(head_bytes, 1),
        [&](int64_t, std::span<const std::byte> rows) { return put(rows); }));
  }
  ByteSource& source = file.source(item.tensor->part);
  const int64_t each = row_bytes(item.from, item.row()), step = std::max<int64_t>(1, chunk_bytes / each);
  std::vector<std::byte> in;
  for (int64_t row = 0; row < item.rows(); row += step) {
    in.resize(static_cast<size_t>(std::min(step, item.rows() - row) * each));
    WEFT_CHECK_OK(context.wait(source.read(item.tensor->offset + static_cast<uint64_t>(row * each), in)));
    WEFT_CHECK_OK(put(in));
  }
  return {};
}

Outcome run(Context& context, const Options& o) {
  const DType type = *dtype_from_name(o.type);
  context.common.model = o.in;
  catch_interrupt();
  const double started = seconds_now();
  WEFT_TRY(const auto file, context.open_model());
  Metadata meta = file->metadata();
  std::shared_ptr<Weights> weights;
  std::vector<Item> items;
  if (file->format() == FileFormat::safetensors) {
    WEFT_TRY(weights, Weights::create(file));
    WEFT_TRY(items, plan_safetensors(*weights, meta, type, o.pure));
    // The key that the GGUF specification has for it. Weft reads it; programs that know only tokenizer.ggml.* do not.
    if (!file->tokenizer_json.empty()) meta.set("tokenizer.huggingface.json", file->tokenizer_json);
    if (!file->tokenizer_config_json.empty()) meta.set("weft.tokenizer_config_json", file->tokenizer_config_json);
  } else {
    WEFT_TRY(items, plan_gguf(*file, type, o.pure));
  }
  if (items.empty()) return fail(Code::bad_file, o.in, "tensors", "at least one", "none");
  for (const char* key : {"split.no", "split.count", "split.tensors.count"}) meta.remove(key);
  meta.set("general.file_type", ggml_file_type(type));
  meta.set("general.quantization_version", int64_t{2});

  WEFT_TRY(const auto sink, create_file(o.out));
  GgufWriter writer(*sink);
  WEFT_CHECK_OK(writer.set_all(meta));
  int64_t total = 0, lossy = 0;
  for (const Item& item : items) {
    WEFT_CHECK_OK(writer.add_tensor(item.name, item.to, item.shape));
    if (item.values.empty()) total += item.rows() * row_bytes(item.from, item.row());
    lossy += is_block(item.from) && item.from != item.to;
  }
  WEFT_CHECK_OK(check_space(o.out, static_cast<int64_t>(writer.file_bytes())));
  WEFT_CHECK_OK(writer.begin());
  Progress bar("writing " + o.out);
  int64_t done = 0;
  for (const Item& item : items) {
    WEFT_CHECK_OK(write_item(context, o, *file, weights.get(), item, writer,
                             [&](int64_t bytes) { bar.update(done += bytes, total); }));
  }
  WEFT_CHECK_OK(writer.end());
  bar.clear();
  if (lossy > 0) {
    note(styled(stderr, Style::dim,
                format("%lld tensors are quantised already: converting them again loses some more",
                       static_cast<long long>(lossy))));
  }
  const auto bytes = static_cast<int64_t>(writer.file_bytes());
  if (context.common.json) {
    WEFT_CHECK_OK(context.print_json({{"path", o.out},
                                      {"type", o.type},
                                      {"tensors", items.size()},
                                      {"bytes_in", file->total_bytes()},
                                      {"bytes", bytes},
                                      {"seconds", seconds_now() - started}}));
    return kOk;
  }
  WEFT_CHECK_OK(context.print(format(
      "%s: %s (%s), from %s, in %s\n", o.out.c_str(), human_bytes(static_cast<double>(bytes)).c_str(), o.type.c_str(),
      human_bytes(static_cast<double>(file->total_bytes())).c_str(), human_seconds(seconds_now() - started).c_str())));
  return kOk;
}

}  // namespace

Command quantize_command() {
  auto o = std::make_shared<Options>();
  return {
      "quantize",
      "Convert a model to another number format",
      "  weft quantize model-f16.gguf model-q8_0.gguf q8_0\n"
      "  weft quantize ./SmolLM2-135M smollm2-q4_k.gguf q4_k\n"
      "The input is a GGUF file or a folder with config.json and safetensors; the output is GGUF. Norms, biases and\n"
      "routers are f32; the output matrix is at least q6_k. Rows that are no whole blocks of 256 get the next larger\n"
      "type with blocks of 32. The tokenizer of a safetensors folder is kept as tokenizer.json inside the file, which\n"
      "Weft reads but other programs may not.\n",
      kJson,
      [o](Args& args) {
        std::vector<std::string> types;
        for (const DType type : kTypes) types.emplace_back(name(type));
        std::string listed;
        for (const std::string& type : types) listed += (listed.empty() ? "" : ", ") + type;
        args.positional("input", o->in, "GGUF file, safetensors folder, or pulled repository").required().file();
        args.positional("output", o->out, "the GGUF file to write").required().file();
        args.positional("type", o->type, "one of " + listed).required().one_of(types);
        args.flag("--pure", o->pure, "TYPE for the output matrix too");
        args.option("-t,--threads", o->threads, "threads; 0: all (0)").between(0, 256);
      },
      [o](Context& context) { return run(context, *o); }};
}

}  // namespace weft::cli
