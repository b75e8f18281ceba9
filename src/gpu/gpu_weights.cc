#include "gpu/gpu_weights.h"

#include <algorithm>
#include <optional>
#include <string>

#include "ops/linear/planes.h"

namespace weft {
namespace {

constexpr int64_t kChunkBytes = 4 << 20;    // of the file at a time; as much again once converted
constexpr int64_t kUnsentBytes = 64 << 20;  // a browser keeps what is written until the GPU has it

int64_t columns_of(const WeightDecl& decl) { return decl.shape.empty() ? 1 : decl.shape.back(); }
int64_t rows_of(const WeightDecl& decl) {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < decl.shape.size(); ++i) rows *= decl.shape[i];
  return rows;
}

// Where the rows of a weight, or of a part of one, go: whole rows into each of its planes, or bytes as they come.
class Part {
 public:
  Part(const WeightDecl& decl, int64_t rows, WeightLayout layout, Gpu& gpu, GpuRange range)
      : decl_(decl), gpu_(gpu), range_(range), k_(columns_of(decl)) {
    if (layout == WeightLayout::planes) planes_.emplace(planes_of(decl.dtype, rows, k_));
  }

  // The next rows, of which `first_row` is the first, counted from the part's.
  Status add(int64_t first_row, int64_t rows, std::span<const std::byte> bytes) {
    return planes_ ? add_planes(first_row, rows, bytes.data()) : add_bytes(bytes);
  }
  Status finish() {
    if (rest_.empty()) return {};
    rest_.resize(4);
    return gpu_.write(range_.buffer, range_.offset + written_, rest_);
  }

 private:
  Status add_planes(int64_t first_row, int64_t rows, const std::byte* in) {
    const Plane* const planes[] = {&planes_->low, &planes_->high, &planes_->scale, &planes_->sub};
    int64_t offsets[5] = {};
    for (int p = 0; p < 4; ++p) offsets[p + 1] = offsets[p] + rows * planes[p]->row_bytes;
    packed_.resize(static_cast<size_t>(offsets[4]));
    uint8_t* out = reinterpret_cast<uint8_t*>(packed_.data());
    pack_planes(decl_.dtype, k_, rows, reinterpret_cast<const uint8_t*>(in),
                {out, out + offsets[1], out + offsets[2], out + offsets[3]});
    for (int p = 0; p < 4; ++p) {
      const std::span<const std::byte> part =
          std::span(packed_).subspan(static_cast<size_t>(offsets[p]), static_cast<size_t>(offsets[p + 1] - offsets[p]));
      if (part.empty()) continue;
      const int64_t to = planes[p]->offset + first_row * planes[p]->row_bytes;
      WEFT_CHECK_OK(gpu_.write(range_.buffer, range_.offset + to, part));
    }
    return {};
  }
  // Writes are multiples of 4 bytes: up to 3 wait for the next rows.
  Status add_bytes(std::span<const std::byte> bytes) {
    if (!rest_.empty()) {
      const size_t take = std::min(bytes.size(), 4 - rest_.size());
      rest_.insert(rest_.end(), bytes.begin(), bytes.begin() + static_cast<int64_t>(take));
      bytes = bytes.subspan(take);
      if (rest_.size() < 4) return {};
      WEFT_CHECK_OK(gpu_.write(range_.buffer, range_.offset + written_, rest_));
      written_ += 4;
      rest_.clear();
    }
    const size_t whole = bytes.size() / 4 * 4;
    if (whole > 0) WEFT_CHECK_OK(gpu_.write(range_.buffer, range_.offset + written_, bytes.first(whole)));
    written_ += static_cast<int64_t>(whole);
    rest_.assign(bytes.begin() + static_cast<int64_t>(whole), bytes.end());
    return {};
  }

  const WeightDecl& decl_;
  Gpu& gpu_;
  GpuRange range_;
  int64_t k_, written_ = 0;
  std::optional<Planes> planes_;
  std::vector<std::byte> packed_, rest_;
};

// The rows of a weight on their way to its parts.
class Upload {
 public:
  Upload(const WeightDecl& decl, WeightLayout layout, Gpu& gpu, std::span<const GpuRange> parts, int64_t part_rows)
      : decl_(decl), rows_(rows_of(decl)), row_bytes_(row_bytes(decl.dtype, columns_of(decl))), each_(part_rows) {
    for (size_t p = 0; p < parts.size(); ++p) {
      const int64_t first = static_cast<int64_t>(p) * each_;
      parts_.emplace_back(decl, std::min(each_, rows_ - first), layout, gpu, parts[p]);
    }
  }

  Status add(int64_t first_row, std::span<const std::byte> bytes) {
    const int64_t size = static_cast<int64_t>(bytes.size()), rows = row_bytes_ > 0 ? size / row_bytes_ : 0;
    if (row_bytes_ == 0 || first_row != next_ || size % row_bytes_ != 0 || rows > rows_ - next_) {
      return fail(Code::wrong_shape, decl_.name, "rows of the weight", std::to_string(rows_ - next_) + " more",
                  std::to_string(size) + " bytes at row " + std::to_string(first_row));
    }
    for (const int64_t end = next_ + rows; next_ < end;) {
      const int64_t at = next_ % each_, count = std::min(end - next_, each_ - at);
      const auto piece = bytes.first(static_cast<size_t>(count * row_bytes_));
      WEFT_CHECK_OK(parts_[static_cast<size_t>(next_ / each_)].add(at, count, piece));
      bytes = bytes.subspan(piece.size());
      next_ += count;
    }
    return {};
  }
  Status finish() {
    if (next_ != rows_) {
      return fail(Code::wrong_shape, decl_.name, "rows of the weight", std::to_string(rows_), std::to_string(next_));
    }
    for (Part& part : parts_) WEFT_CHECK_OK(part.finish());
    return {};
  }

 private:
  const WeightDecl& decl_;
  int64_t rows_, row_bytes_, each_, next_ = 0;
  std::vector<Part> parts_;
};

}  // namespace

Task<Status> GpuWeights::place(const Model& model, std::span<const Plan* const> plans,
                               std::span<const WeightLayout> layouts, int64_t most_bytes, Gpu& gpu) {
  std::vector<std::vector<int32_t>> groups = weight_groups(plans);
  std::vector<bool> grouped(model.weights.size(), false);
  for (const auto& group : groups) {
    for (int32_t w : group) {
      if (grouped[w]) {
        co_return fail(Code::internal, model.weights[w].name, "groups of weights", "one", "several");
      }
      grouped[w] = true;
    }
  }
  const auto make = [&](int64_t bytes, const std::string& label) -> Task<Result<GpuBuffer>> {
    WEFT_CO_TRY(const GpuBuffer buffer, co_await gpu.create_buffer(std::max<int64_t>(bytes, 16), label));
    buffers_.push_back(buffer);
    bytes_ += bytes;
    co_return buffer;
  };
  weights_.assign(model.weights.size(), {});
  for (const auto& group : groups) {
    int64_t end = 0;
    for (int32_t w : group) {
      const WeightDecl& decl = model.weights[w];
      const int64_t bytes = align_up(layout_bytes(decl.dtype, decl.shape, layouts[w]), 16);
      weights_[w] = {{{.offset = end, .bytes = bytes}}, std::max<int64_t>(1, rows_of(decl))};
      end += align_up(bytes, kGpuAlignment);
    }
    WEFT_CO_TRY(const GpuBuffer buffer, co_await make(end, model.weights[group[0]].name));
    for (int32_t w : group) weights_[w].parts[0].buffer = buffer;
  }
  for (size_t w = 0; w < model.weights.size(); ++w) {
    if (grouped[w]) continue;
    const WeightDecl& decl = model.weights[w];
    const int64_t rows = rows_of(decl), k = columns_of(decl);
    int64_t each = rows_of_part(decl.dtype, rows, k, layouts[w], most_bytes);
    if (each == 0) each = rows;  // no kernel takes it: the plan says so
    weights_[w].part_rows = std::max<int64_t>(1, each);
    for (int64_t first = 0; first == 0 || first < rows; first += weights_[w].part_rows) {
      const int64_t shape[2] = {std::min(each, rows - first), k};
      const int64_t bytes = align_up(layout_bytes(decl.dtype, shape, layouts[w]), 16);
      WEFT_CO_TRY(const GpuBuffer buffer, co_await make(align_up(bytes, kGpuAlignment), decl.name));
      weights_[w].parts.push_back({buffer, 0, bytes});
    }
  }
  for (const ConstantDecl& decl : model.constants) {
    const int64_t bytes = align_up(static_cast<int64_t>(decl.data.size()) * 4, 16);
    WEFT_CO_TRY(const GpuBuffer buffer, co_await gpu.create_buffer(std::max<int64_t>(bytes, 16), decl.name));
    buffers_.push_back(buffer);
    bytes_ += bytes;
    if (!decl.data.empty()) WEFT_CO_CHECK_OK(gpu.write(buffer, 0, std::as_bytes(std::span(decl.data))));
    constants_.push_back({buffer, 0, bytes});
  }
  co_return Status{};
}

Task<Status> GpuWeights::load(const Model& model, std::span<const Plan* const> plans, const Caps& caps, Gpu& gpu,
                              WeightReader& reader, Host& host, const Progress& progress, const CancelFlag* cancel) {
  destroy(gpu);
  const std::vector<WeightLayout> layouts = choose_layouts(model, caps);
  WEFT_CO_CHECK_OK(co_await place(model, plans, layouts, caps.gpu.max_binding_bytes, gpu));
  int64_t done = 0, sent = 0, total = 0;
  for (const WeightDecl& decl : model.weights) total += layout_bytes(decl.dtype, decl.shape, WeightLayout::row_major);
  for (size_t w = 0; w < model.weights.size(); ++w) {
    const WeightDecl& decl = model.weights[w];
    Upload upload(decl, layouts[w], gpu, weights_[w].parts, weights_[w].part_rows);
    auto sink = [&](int64_t first_row, std::span<const std::byte> rows) -> Status {
      if (cancel && cancel->cancelled()) return fail(Code::cancelled, decl.name, "loading");
      WEFT_CHECK_OK(upload.add(first_row, rows));
      done += static_cast<int64_t>(rows.size());
      if (progress) progress(done, total);
      return {};
    };
    WEFT_CO_CHECK_OK(co_await reader.read_rows(static_cast<int>(w), kChunkBytes, sink));
    WEFT_CO_CHECK_OK(upload.finish());
    reader.release(static_cast<int>(w));
    if (done - sent >= kUnsentBytes) {
      WEFT_CO_CHECK_OK(co_await gpu.finish());
      sent = done;
    }
    co_await host.yield();
  }
  co_return co_await gpu.finish();
}

GpuRange GpuWeights::group(std::span<const int32_t> weights) const {
  GpuRange range = weight(weights.front());
  const GpuRange& last = weight(weights.back());
  range.bytes = last.offset + last.bytes - range.offset;
  return range;
}

void GpuWeights::destroy(Gpu& gpu) {
  for (GpuBuffer buffer : buffers_) gpu.destroy(buffer);
  buffers_.clear();
  weights_.clear();
  constants_.clear();
  bytes_ = 0;
}

}  // namespace weft
