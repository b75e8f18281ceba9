#include "cpu/weight_store.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace weft {
namespace {

// Big enough to spread over threads, small enough that file pages and copy together stay within a few megabytes.
constexpr int64_t kChunkBytes = 8 << 20;
// Large pages make the copy three times faster where the system has them at hand (1.3 GB touched in 0.22 s, small pages
// 0.73 s), but in a virtual machine they may be ones that its host has to find first (5 s). Below this many bytes a
// second the rest is taken in small pages.
constexpr double kSlowPages = 0.6e9;
constexpr int64_t kGroup = 16;  // rows that pack_rows converts together

int64_t align(int64_t bytes) { return (bytes + 63) / 64 * 64; }

TensorRef describe(DType dtype, std::span<const int64_t> shape, WeightLayout layout) {
  TensorRef ref{.dtype = dtype, .rank = static_cast<int>(shape.size()), .layout = layout};
  std::copy(shape.begin(), shape.end(), ref.dim.begin());
  return ref;
}

// Packs rows that arrive in any portions: whole groups at once and in parallel, the rest of a group is kept until it is
// complete.
class Packer {
 public:
  Packer(const WeightDecl& decl, WeightLayout layout, Pool& pool, std::byte* out)
      : decl_(decl),
        layout_(layout),
        pool_(pool),
        out_(out),
        row_bytes_(row_bytes(decl.dtype, decl.shape.empty() ? 1 : decl.shape.back())),
        rows_(layout_bytes(decl.dtype, decl.shape, WeightLayout::row_major) / std::max<int64_t>(1, row_bytes_)),
        group_(layout == WeightLayout::row_major ? 1 : kGroup) {}

  Status add(int64_t first_row, std::span<const std::byte> bytes) {
    const int64_t size = static_cast<int64_t>(bytes.size());
    if (row_bytes_ == 0 || first_row != next_ || size % row_bytes_ != 0 || size / row_bytes_ > rows_ - next_) {
      return fail(Code::wrong_shape, decl_.name, "rows of the weight", std::to_string(rows_ - next_) + " more",
                  std::to_string(size) + " bytes at row " + std::to_string(first_row));
    }
    next_ += size / row_bytes_;
    while (!partial_.empty() && !bytes.empty()) {
      const size_t take = std::min(bytes.size(), static_cast<size_t>(group_ * row_bytes_) - partial_.size());
      partial_.insert(partial_.end(), bytes.begin(), bytes.begin() + static_cast<int64_t>(take));
      bytes = bytes.subspan(take);
      if (static_cast<int64_t>(partial_.size()) < group_ * row_bytes_) break;
      pack(partial_);
      partial_.clear();
    }
    const size_t whole =
        bytes.size() / static_cast<size_t>(group_ * row_bytes_) * static_cast<size_t>(group_ * row_bytes_);
    pack(bytes.first(whole));
    partial_.insert(partial_.end(), bytes.begin() + static_cast<int64_t>(whole), bytes.end());
    return {};
  }

  bool complete() const { return next_ == rows_ && partial_.empty(); }
  int64_t rows() const { return rows_; }
  int64_t rows_done() const { return next_; }

 private:
  void pack(std::span<const std::byte> bytes) {
    const int64_t groups = static_cast<int64_t>(bytes.size()) / (group_ * row_bytes_);
    pool_.run(groups, [&](int64_t begin, int64_t end, int) {
      pack_rows(decl_.dtype, decl_.shape, layout_, packed_ + begin * group_, (end - begin) * group_,
                bytes.data() + begin * group_ * row_bytes_, out_);
    });
    packed_ += groups * group_;
  }

  const WeightDecl& decl_;
  WeightLayout layout_;
  Pool& pool_;
  std::byte* out_;
  int64_t row_bytes_, rows_, group_;
  int64_t next_ = 0, packed_ = 0;
  std::vector<std::byte> partial_;
};

}  // namespace

Task<Status> WeightStore::convert(const Model& model, int index, WeightReader& reader, Pool& pool, Host& host,
                                  const Progress& progress, const CancelFlag* cancel, int64_t& done) {
  const WeightDecl& decl = model.weights[index];
  Packer packer(decl, weights_[index].layout, pool, weights_[index].data);
  const int64_t before = done;
  auto sink = [&](int64_t first_row, std::span<const std::byte> rows) -> Status {
    if (cancel && cancel->cancelled()) return fail(Code::cancelled, decl.name, "loading");
    const double begin = host.now();
    WEFT_CHECK_OK(packer.add(first_row, rows));
    const double bytes = static_cast<double>(rows.size());
    if (huge_pages_ && bytes > 1e6 && bytes < kSlowPages * (host.now() - begin)) {
      huge_pages_ = false;
      converted_.use_small_pages(weights_[index].data - converted_.data());
    }
    done = before + packer.rows_done() * (layout_bytes(decl.dtype, decl.shape, weights_[index].layout) /
                                          std::max<int64_t>(1, packer.rows()));
    if (progress) progress(done, bytes_);
    return {};
  };
  WEFT_CO_CHECK_OK(co_await reader.read_rows(index, kChunkBytes, sink));
  if (!packer.complete()) {
    co_return fail(Code::wrong_shape, decl.name, "rows of the weight", std::to_string(packer.rows_done()) + " or more",
                   "fewer than its shape says");
  }
  reader.release(index);
  co_return Status{};
}

Task<Status> WeightStore::load(const Model& model, std::vector<WeightLayout> layouts, WeightReader& reader, Pool& pool,
                               Host& host, const Progress& progress, const CancelFlag* cancel) {
  weights_.clear();
  constants_.clear();
  bytes_ = 0;
  std::vector<int> to_convert;
  int64_t converted = 0;
  for (size_t i = 0; i < model.weights.size(); ++i) {
    const WeightDecl& decl = model.weights[i];
    if (decl.shape.size() > kMaxRank) {
      co_return fail(Code::wrong_shape, decl.name, "dimensions", "at most " + std::to_string(kMaxRank),
                     std::to_string(decl.shape.size()));
    }
    TensorRef ref = describe(decl.dtype, decl.shape, layouts[i]);
    const int64_t bytes = layout_bytes(decl.dtype, decl.shape, layouts[i]);
    bytes_ += bytes;
    const auto mapped = reader.mapped(static_cast<int>(i));
    if (layouts[i] == WeightLayout::row_major && static_cast<int64_t>(mapped.size()) == bytes) {
      // Kernels only read weights; TensorRef serves results too and has no const form.
      ref.data = const_cast<std::byte*>(mapped.data());
    } else {
      to_convert.push_back(static_cast<int>(i));
      converted += align(bytes);
    }
    weights_.push_back(ref);
  }
  WEFT_CO_TRY(converted_, Memory::zeroed(converted, true, "weights"));
  huge_pages_ = true;
  int64_t done = bytes_, offset = 0;
  for (int i : to_convert) {
    const int64_t bytes = layout_bytes(weights_[i].dtype, model.weights[i].shape, weights_[i].layout);
    weights_[i].data = converted_.data() + offset;
    offset += align(bytes);
    done -= bytes;
  }
  for (int i : to_convert) {
    WEFT_CO_CHECK_OK(co_await convert(model, i, reader, pool, host, progress, cancel, done));
    co_await host.yield();
  }

  int64_t constant_bytes = 0;
  for (const ConstantDecl& decl : model.constants) constant_bytes += align(static_cast<int64_t>(decl.data.size()) * 4);
  WEFT_CO_TRY(constant_data_, Memory::zeroed(constant_bytes, false, "constants"));
  offset = 0;
  for (const ConstantDecl& decl : model.constants) {
    TensorRef ref = describe(DType::f32, decl.shape, WeightLayout::row_major);
    ref.data = constant_data_.data() + offset;
    if (!decl.data.empty()) std::memcpy(ref.data, decl.data.data(), decl.data.size() * 4);
    offset += align(static_cast<int64_t>(decl.data.size()) * 4);
    constants_.push_back(ref);
  }
  if (progress) progress(bytes_, bytes_);
  co_return Status{};
}

}  // namespace weft
