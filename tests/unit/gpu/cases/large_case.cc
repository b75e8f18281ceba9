#include "large_case.h"

#include <algorithm>
#include <cstring>

#ifndef __wasm__
#include <thread>
#endif

namespace weft::test {
namespace {

constexpr int64_t kColumns = 256;     // that are checked
constexpr int64_t kChunk = 1 << 20;   // elements of a weight made at once
constexpr size_t kColumnsAtOnce = 8;  // of the reference

// f(i) for i in [0, n), by all processors.
template <class F>
void in_parallel(int64_t n, const F& f) {
#ifdef __wasm__  // the large cases are for native programs
  for (int64_t item = 0; item < n; ++item) f(item);
#else
  std::atomic<int64_t> next = 0;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) {
    threads.emplace_back([&] {
      for (int64_t item; (item = next++) < n;) f(item);
    });
  }
  for (std::thread& thread : threads) thread.join();
#endif
}

std::vector<std::byte> encoded_floats(const Case& c, int index) {
  const CaseTensor& tensor = c.in[static_cast<size_t>(index)];
  const int64_t k = tensor.shape.back(), rows = HostTensor{.shape = tensor.shape}.elements() / k;
  const int64_t bytes = row_bytes(tensor.dtype, k), each = std::max<int64_t>(1, kChunk / k);
  std::vector<std::byte> out(static_cast<size_t>(rows * bytes));
  in_parallel((rows + each - 1) / each, [&](int64_t chunk) {
    const int64_t first = chunk * each, count = std::min(each, rows - first);
    HostTensor data{.shape = {count, k}};
    data.f32.resize(static_cast<size_t>(count * k));
    case_floats(c, index, first * k, data.f32);
    const std::vector<std::byte> part = encode(tensor.dtype, data);
    std::memcpy(out.data() + first * bytes, part.data(), part.size());
  });
  return out;
}

template <class T>
std::vector<T> gather(std::span<const T> values, int64_t row, std::span<const int64_t> columns) {
  std::vector<T> out;
  for (int64_t at = 0; at < static_cast<int64_t>(values.size()); at += row) {
    for (const int64_t n : columns) out.push_back(values[static_cast<size_t>(at + n)]);
  }
  return out;
}

}  // namespace

LargeCase::LargeCase(const Case& c) {
  run_.test = c;
  run_.graph = case_graph(c);
  while (c.in[weight_].role != CaseTensor::Role::weight || c.in[weight_].shape.size() != 2) ++weight_;
  for (size_t i = 0; i < c.in.size(); ++i) {
    run_.values.emplace_back();
    run_.encoded.emplace_back();
    if (c.in[i].role == CaseTensor::Role::absent) continue;
    HostTensor& data = run_.values.back();
    data.shape = c.in[i].shape;
    run_.encoded.back() = encoded_floats(c, static_cast<int>(i));
    if (i != weight_) data.f32 = decode(c.in[i].dtype, run_.encoded.back().data(), data.elements(), data.shape.back());
  }

  const int64_t n = c.in[weight_].shape[0], rows = run_.rows();
  columns_ = {0, n - 1};
  for (uint64_t i = 0; i < kColumns; ++i) columns_.push_back(static_cast<int64_t>(i * 2654435761u % n));
  std::ranges::sort(columns_);
  columns_.erase(std::unique(columns_.begin(), columns_.end()), columns_.end());
  const size_t count = columns_.size();
  reference_.shape = {rows, static_cast<int64_t>(count)};
  reference_.f32.resize(static_cast<size_t>(rows) * count);
  in_parallel(static_cast<int64_t>((count + kColumnsAtOnce - 1) / kColumnsAtOnce), [&](int64_t chunk) {
    const size_t first = static_cast<size_t>(chunk) * kColumnsAtOnce;
    const auto columns = std::span(columns_).subspan(first, std::min(kColumnsAtOnce, count - first));
    const HostTensor result = std::move(part(columns).reference()[0]);
    for (size_t t = 0; t < static_cast<size_t>(rows); ++t)
      std::copy_n(result.f32.begin() + static_cast<std::ptrdiff_t>(t * columns.size()), columns.size(),
                  reference_.f32.begin() + static_cast<std::ptrdiff_t>(t * count + first));
  });
}

// The case of these columns of the result alone.
CaseRun LargeCase::part(std::span<const int64_t> columns) const {
  CaseRun part;
  part.test = run_.test;
  part.values = run_.values;
  const auto& shape = run_.test.in[weight_].shape;
  const DType dtype = run_.test.in[weight_].dtype;
  const int64_t n = shape[0], k = shape[1], bytes = row_bytes(dtype, k);
  for (size_t i = weight_; i < part.values.size(); ++i) {
    HostTensor& value = part.values[i];
    if (run_.test.in[i].role == CaseTensor::Role::absent) continue;
    if (i > weight_) {  // the bias [N], the residual [T, N]
      value.f32 = gather<float>(value.f32, n, columns);
    } else {
      for (const int64_t row : columns) {
        const std::vector<float> floats = decode(dtype, run_.encoded[i].data() + row * bytes, k, k);
        value.f32.insert(value.f32.end(), floats.begin(), floats.end());
      }
    }
    (i == weight_ ? value.shape.front() : value.shape.back()) = static_cast<int64_t>(columns.size());
    part.test.in[i].shape = value.shape;
  }
  part.graph = case_graph(part.test);
  return part;
}

std::vector<float> LargeCase::pick(std::span<const float> result) const {
  return gather(result, run_.test.in[weight_].shape[0], columns_);
}

}  // namespace weft::test
