#include "weights/weights.h"

#include <algorithm>

#include "file/ranges.h"
#include "weights/names.h"
#include "weights/transform.h"

namespace weft {
namespace {

using Transform = WeightInfo::Transform;

// How a weight is walked: `units` pieces that must not be split, of `in` bytes in the file and `out` bytes as read.
struct Layout {
  int64_t units, rows_per_unit;
  uint64_t in, out;
};

Layout layout_of(const WeightInfo& w) {
  const DType in = w.tensor->dtype;
  if (w.shape.size() < 2) {
    const int64_t n = w.shape.empty() ? 1 : w.shape[0];
    return {1, 1, static_cast<uint64_t>(row_bytes(in, n)), static_cast<uint64_t>(row_bytes(w.dtype, n))};
  }
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < w.shape.size(); ++i) rows *= w.shape[i];
  const int64_t group = w.transform == Transform::interleaved_to_half_rope ? w.head_dim : 1;
  return {rows / group, group, static_cast<uint64_t>(row_bytes(in, w.shape.back()) * group),
          static_cast<uint64_t>(row_bytes(w.dtype, w.shape.back()) * group)};
}

void apply(const WeightInfo& w, std::span<const std::byte> in, std::span<std::byte> out) {
  switch (w.transform) {
    case Transform::none:
      std::copy(in.begin(), in.end(), out.begin());
      return;
    case Transform::interleaved_to_half_rope: {
      const bool one_row = w.shape.size() < 2;  // a bias: its elements are the rows
      const int64_t row = one_row ? row_bytes(w.dtype, 1) : row_bytes(w.dtype, w.shape.back());
      interleaved_to_half_rope(in, out, static_cast<size_t>(row), static_cast<size_t>(w.head_dim));
      return;
    }
    case Transform::add_one:
      add_one(w.tensor->dtype, in, {reinterpret_cast<float*>(out.data()), out.size() / sizeof(float)});
      return;
  }
}

// The file's bytes can be used where they lie: mapped, and aligned as their type wants.
const std::byte* direct(ByteSource& source, const TensorInfo& t) {
  const std::byte* map = source.mapped();
  if (!map) return nullptr;
  const size_t alignment = is_block(t.dtype) ? 2 : static_cast<size_t>(info(t.dtype).bytes);
  return reinterpret_cast<uintptr_t>(map + t.offset) % alignment == 0 ? map + t.offset : nullptr;
}

bool rotates(std::string_view name) {
  return name.find(".self_attn.q_proj.") != name.npos || name.find(".self_attn.k_proj.") != name.npos;
}

}  // namespace

Result<std::shared_ptr<Weights>> Weights::create(std::shared_ptr<TensorFile> file) {
  std::shared_ptr<Weights> weights(new Weights(std::move(file)));
  WEFT_CHECK_OK(weights->index());
  return weights;
}

Status Weights::index() {
  WEFT_TRY(architecture_, metadata().get_or<std::string>("general.architecture", {}));
  const bool gguf = file_->format() == FileFormat::gguf;
  WEFT_TRY(const bool tied, metadata().get_or<bool>("weft.tie_word_embeddings", false));
  for (const TensorInfo& t : file_->tensors()) {
    std::string name = gguf ? hf_name(architecture_, t.name) : plain_hf_name(t.name);
    if (!gguf && tied && name == "lm_head.weight") continue;
    auto [it, added] = tensors_.emplace(name, &t);
    if (!added)
      return fail(Code::bad_file, file_->name(), "weight '" + name + "'", "one tensor of that name",
                  "'" + it->second->name + "' and '" + t.name + "'");
    names_.push_back(std::move(name));
  }
  return {};
}

bool Weights::has(std::string_view name) const { return tensors_.contains(name); }

Result<int64_t> Weights::head_dim() const {
  const std::string prefix = architecture_ + ".";
  WEFT_TRY(const int64_t heads, metadata().get<int64_t>(prefix + "attention.head_count"));
  WEFT_TRY(const int64_t width, metadata().get<int64_t>(prefix + "embedding_length"));
  if (heads < 1 || width < 1)
    return fail(Code::bad_file, metadata().source(), "metadata key '" + prefix + "attention.head_count'", "at least 1",
                std::to_string(heads));
  WEFT_TRY(const int64_t dim, metadata().get_or<int64_t>(prefix + "attention.key_length", width / heads));
  if (dim < 2 || dim % 2 != 0 || dim > 1 << 20)
    return fail(Code::bad_file, metadata().source(), "size of an attention head", "an even number above 0",
                std::to_string(dim));
  return dim;
}

Result<WeightInfo> Weights::find(std::string_view name) const {
  auto it = tensors_.find(name);
  if (it == tensors_.end()) {
    std::string what = "weight '" + std::string(name) + "'";
    if (file_->format() == FileFormat::gguf) what += " (tensor '" + gguf_name(architecture_, name) + "')";
    return fail(Code::missing_tensor, file_->name(), std::move(what), "a tensor of that name", "none");
  }
  const TensorInfo& t = *it->second;
  WeightInfo w{.name = std::string(name), .dtype = t.dtype, .shape = t.shape, .tensor = &t};
  if (file_->format() == FileFormat::gguf && architecture_ == "llama" && rotates(name)) {
    WEFT_TRY(w.head_dim, head_dim());
    const bool one_row = t.shape.size() == 1;
    if (t.shape.empty() || t.shape.size() > 2 || t.shape[0] % w.head_dim != 0 || (one_row && is_block(t.dtype)))
      return fail(Code::wrong_shape, file_->name(), "tensor '" + t.name + "'",
                  "rows that are a multiple of the head size " + std::to_string(w.head_dim), shape_text(t.shape));
    w.transform = Transform::interleaved_to_half_rope;
  }
  if (file_->format() == FileFormat::safetensors && architecture_ == "gemma3" && name.ends_with("norm.weight")) {
    if (t.dtype != DType::f32 && t.dtype != DType::f16 && t.dtype != DType::bf16)
      return fail(Code::unsupported, file_->name(), "tensor '" + t.name + "', type of a norm", "f32, f16 or bf16",
                  std::string(weft::name(t.dtype)));
    w.transform = Transform::add_one;
    w.dtype = DType::f32;
  }
  return w;
}

constexpr uint64_t kLargestPage = 64 << 10;

Task<Status> Weights::read_rows(const WeightInfo& weight, int64_t chunk_bytes,
                                std::function<Status(int64_t, std::span<const std::byte>)> sink) {
  const WeightInfo w = weight;  // the caller's may be gone after the first suspension
  ByteSource& source = file_->source(w.tensor->part);
  const std::byte* map = direct(source, *w.tensor);
  const Layout layout = layout_of(w);
  if (layout.in == 0) co_return Status{};
  const int64_t step = std::max<int64_t>(1, chunk_bytes / static_cast<int64_t>(std::max(layout.in, layout.out)));
  std::vector<std::byte> raw, changed;
  for (int64_t unit = 0; unit < layout.units; unit += step) {
    const auto count = static_cast<uint64_t>(std::min(step, layout.units - unit));
    const uint64_t offset = static_cast<uint64_t>(unit) * layout.in;
    std::span<const std::byte> in;
    if (map) {
      in = {map + offset, static_cast<size_t>(count * layout.in)};
    } else {
      raw.resize(count * layout.in);
      WEFT_CO_CHECK_OK(co_await source.read(w.tensor->offset + offset, raw));
      in = raw;
    }
    if (w.transform != Transform::none) {
      changed.resize(count * layout.out);
      apply(w, in, changed);
      in = changed;
    }
    WEFT_CO_CHECK_OK(sink(unit * layout.rows_per_unit, in));
    if (!map) continue;
    // Chunk by chunk: a whole embedding table beside its copy would be hundreds of megabytes. A little of the chunk
    // before goes along, because the host rounds inward and would keep the page the two share.
    const uint64_t before = std::min<uint64_t>(offset, kLargestPage);
    source.release(w.tensor->offset + offset - before, before + count * layout.in);
  }
  co_return Status{};
}

Task<Result<WeightBytes>> Weights::read(const WeightInfo& weight) {
  WeightBytes result;
  if (weight.transform == Transform::none) {
    if (const std::byte* map = direct(file_->source(weight.tensor->part), *weight.tensor)) {
      result.bytes = {map, static_cast<size_t>(weight.tensor->bytes)};
      co_return std::move(result);
    }
  }
  constexpr int64_t kChunk = int64_t{4} << 20;
  const Layout layout = layout_of(weight);
  result.owned.reserve(static_cast<uint64_t>(layout.units) * layout.out);
  WEFT_CO_CHECK_OK(co_await read_rows(weight, kChunk, [&](int64_t, std::span<const std::byte> rows) {
    result.owned.insert(result.owned.end(), rows.begin(), rows.end());
    return Status{};
  }));
  result.bytes = result.owned;
  co_return std::move(result);
}

void Weights::release(const WeightInfo& weight) {
  file_->source(weight.tensor->part).release(weight.tensor->offset, weight.tensor->bytes);
}

}  // namespace weft
