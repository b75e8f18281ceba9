#include "case_runner.h"

#include <cmath>
#include <cstring>

#include "base/half.h"
#include "weights/formats.h"

namespace weft::test {
namespace {

constexpr uint8_t kSentinel = 0xA5;

std::vector<std::byte> encode_i8_32(const HostTensor& data) {
  const int64_t k = data.shape.back(), rows = data.elements() / k, bytes = row_bytes(DType::i8_32, k);
  std::vector<std::byte> out(static_cast<size_t>(rows * bytes));
  for (int64_t r = 0; r < rows; ++r) {
    int8_t* quants = reinterpret_cast<int8_t*>(out.data() + r * bytes);
    for (int64_t b = 0; b < k / 32; ++b) {
      const float* x = data.f32.data() + r * k + b * 32;
      float top = 0;
      for (int i = 0; i < 32; ++i) top = std::max(top, std::fabs(x[i]));
      const float scale = top / 127;
      int32_t sum = 0;
      for (int i = 0; i < 32; ++i) {
        quants[b * 32 + i] = static_cast<int8_t>(top > 0 ? std::lrint(x[i] * (127 / top)) : 0);
        sum -= quants[b * 32 + i];
      }
      std::memcpy(quants + k + b * 4, &scale, 4);
      std::memcpy(quants + k + k / 8 + b * 4, &sum, 4);
    }
  }
  return out;
}

}  // namespace

Guarded::Guarded(int64_t bytes, uint8_t fill) : bytes_(static_cast<size_t>(bytes) + 192), size_(bytes) {
  offset_ = 128 - reinterpret_cast<uintptr_t>(bytes_.data()) % 64;
  std::memset(bytes_.data(), kSentinel, bytes_.size());
  std::memset(data(), fill, static_cast<size_t>(bytes));
}

bool Guarded::intact() const {
  for (size_t i = 0; i < bytes_.size(); ++i) {
    const bool inside = i >= offset_ && i < offset_ + static_cast<size_t>(size_);
    if (!inside && bytes_[i] != std::byte{kSentinel}) return false;
  }
  return true;
}

std::vector<std::byte> encode(DType dtype, const HostTensor& data) {
  if (data.is_i32) {
    std::vector<std::byte> out(data.i32.size() * 4);
    std::memcpy(out.data(), data.i32.data(), out.size());
    return out;
  }
  if (dtype == DType::i8_32) return encode_i8_32(data);
  const int64_t k = data.shape.back(), rows = data.elements() / k;
  std::vector<std::byte> out(static_cast<size_t>(rows * row_bytes(dtype, k)));
  if (can_quantize(dtype)) {
    quantize(dtype, data.f32.data(), out.data(), data.elements());
    return out;
  }
  // No encoder: bytes at random (the data's own bits), scales made ordinary.
  const uint8_t* source = reinterpret_cast<const uint8_t*>(data.f32.data());
  const DTypeInfo& block = info(dtype);
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t at = i * 2654435761u % (data.f32.size() * 4);
    out[i] = static_cast<std::byte>(source[at] ^ source[(at + 1) % (data.f32.size() * 4)] ^ i * 31);
  }
  for (size_t b = 0; b < out.size(); b += static_cast<size_t>(block.bytes)) {
    uint8_t* p = reinterpret_cast<uint8_t*>(out.data() + b);
    const uint16_t half = f32_to_f16(0.01f + 0.001f * static_cast<float>(b % 17));
    auto put = [&](int at) { std::memcpy(p + at, &half, 2); };
    switch (dtype) {
      case DType::q2_k:
        put(80), put(82);
        break;
      case DType::q3_k:
        put(108);
        break;
      case DType::q4_k:
      case DType::q5_k:
        put(0), put(2);
        break;
      case DType::q6_k:
        put(208);
        break;
      default:
        put(0);
        break;
    }
  }
  return out;
}

std::vector<float> decode(DType dtype, const std::byte* bytes, int64_t elements, int64_t row) {
  std::vector<float> out(static_cast<size_t>(elements));
  if (dtype == DType::i8_32) {
    for (int64_t r = 0; r < elements / row; ++r) {
      const std::byte* p = bytes + r * row_bytes(dtype, row);
      for (int64_t i = 0; i < row; ++i) {
        float scale;
        std::memcpy(&scale, p + row + i / 32 * 4, 4);
        out[static_cast<size_t>(r * row + i)] = scale * static_cast<float>(reinterpret_cast<const int8_t*>(p)[i]);
      }
    }
  } else if (dtype == DType::i32) {
    for (int64_t i = 0; i < elements; ++i) {
      out[static_cast<size_t>(i)] = static_cast<float>(reinterpret_cast<const int32_t*>(bytes)[i]);
    }
  } else {
    dequantize(dtype, bytes, out.data(), elements);
  }
  return out;
}

CaseRun::CaseRun(const Case& c) : test(c), graph(case_graph(c)) {
  for (size_t i = 0; i < c.in.size(); ++i) {
    if (c.in[i].role == CaseTensor::Role::absent) {
      values.emplace_back();
      encoded.emplace_back();
      continue;
    }
    HostTensor data = case_data(c, static_cast<int>(i));
    encoded.push_back(encode(c.in[i].dtype, data));
    if (!data.is_i32) data.f32 = decode(c.in[i].dtype, encoded.back().data(), data.elements(), data.shape.back());
    values.push_back(std::move(data));
  }
}

int64_t CaseRun::rows() const {
  for (const CaseTensor& tensor : test.in) {
    if (tensor.rows) return tensor.shape[0];
  }
  return 0;
}

CaseRun CaseRun::row(int64_t t) const {
  CaseRun one;
  one.test = test;
  const int64_t rows_all = rows();
  for (size_t i = 0; i < values.size(); ++i) {
    HostTensor value = values[i];
    std::vector<std::byte> bytes = encoded[i];
    if (test.in[i].rows) {
      one.test.in[i].shape[0] = value.shape[0] = 1;
      const auto cut = [&](auto& v) {
        const size_t n = v.size() / static_cast<size_t>(rows_all);
        v.erase(v.begin(), v.begin() + static_cast<int64_t>(n * static_cast<size_t>(t)));
        v.resize(n);
      };
      cut(value.f32);
      cut(value.i32);
      cut(bytes);
    }
    one.values.push_back(std::move(value));
    one.encoded.push_back(std::move(bytes));
  }
  one.graph = case_graph(one.test);
  return one;
}

OpCall CaseRun::call(std::vector<ValueType>& in, std::vector<ValueType>& out, WeightLayout layout) const {
  const Node& node = graph.nodes[0];
  in.clear();
  out.clear();
  for (ValueId v : node.inputs) in.push_back(v == kNoValue ? ValueType{} : graph.type(v));
  for (ValueId v : node.outputs) out.push_back(graph.type(v));
  return {node.op, node.attrs, in, out, layout};
}

std::vector<HostTensor> CaseRun::reference() const {
  const Node& node = graph.nodes[0];
  std::vector<const HostTensor*> in;
  for (size_t i = 0; i < values.size(); ++i) in.push_back(node.inputs[i] == kNoValue ? nullptr : &values[i]);
  std::vector<HostTensor> out;
  for (ValueId v : node.outputs) {
    HostTensor tensor;
    for (int i = 0; i < graph.type(v).shape.rank; ++i) tensor.shape.push_back(graph.type(v).shape[i].count);
    tensor.f32.resize(static_cast<size_t>(tensor.elements()));
    out.push_back(std::move(tensor));
  }
  reference_table()[static_cast<size_t>(node.op)]({graph, node, in, out});
  return out;
}

std::vector<std::vector<float>> CaseRun::run(const Kernel& kernel, CpuLevel level, WeightLayout layout, int pieces,
                                             std::string& damage) const {
  const Node& node = graph.nodes[0];
  std::vector<Guarded> memory;
  memory.reserve(16);
  std::vector<TensorRef> in, out;
  auto describe = [&](ValueId v) {
    TensorRef ref{.dtype = graph.type(v).dtype, .rank = graph.type(v).shape.rank};
    for (int i = 0; i < ref.rank; ++i) ref.dim[i] = graph.type(v).shape[i].count;
    return ref;
  };
  for (size_t i = 0; i < values.size(); ++i) {
    if (node.inputs[i] == kNoValue) {
      in.push_back({});
      continue;
    }
    TensorRef ref = describe(node.inputs[i]);
    const bool matrix = test.in[i].role == CaseTensor::Role::weight && test.in[i].shape.size() == 2;
    memory.emplace_back(
        matrix ? layout_bytes(ref.dtype, test.in[i].shape, layout) : static_cast<int64_t>(encoded[i].size()), 0);
    ref.data = memory.back().data();
    if (matrix) {
      ref.layout = layout;
      pack_rows(ref.dtype, test.in[i].shape, layout, 0, test.in[i].shape[0], encoded[i].data(), ref.data);
    } else if (!encoded[i].empty()) {
      std::memcpy(ref.data, encoded[i].data(), encoded[i].size());
    }
    in.push_back(ref);
  }
  for (ValueId v : node.outputs) {
    TensorRef ref = describe(v);
    const bool state = test.in[0].role == CaseTensor::Role::state && graph.type(v) == graph.type(node.inputs[0]);
    if (state) {
      ref.data = in[0].data;  // states are changed in place
    } else {
      // 0xFF: NaN in every float type, so that what is not written shows.
      memory.emplace_back(ref.elements() / ref.dim[ref.rank - 1] * row_bytes(ref.dtype, ref.dim[ref.rank - 1]), 0xFF);
      ref.data = memory.back().data();
    }
    out.push_back(ref);
  }
  std::vector<ValueType> in_types, out_types;
  const OpCall types = call(in_types, out_types, layout);
  const int workers = 3;
  memory.emplace_back(kernel.scratch_bytes ? kernel.scratch_bytes(types, {}, workers) : 0, 0xFF);
  const CpuCall cpu{.attrs = node.attrs,
                    .in = in,
                    .out = out,
                    .scratch = {memory.back().data(), 0},
                    .workers = workers,
                    .level = level};
  const int64_t items = kernel.items(cpu);
  for (int64_t piece = pieces - 1; piece >= 0; --piece) {
    kernel.run(cpu, items * piece / pieces, items * (piece + 1) / pieces, static_cast<int>(piece % workers));
  }
  for (const Guarded& block : memory) {
    if (!block.intact()) damage = "bytes beside a tensor or the scratch were written";
  }
  std::vector<std::vector<float>> results;
  for (const TensorRef& ref : out)
    results.push_back(decode(ref.dtype, ref.data, ref.elements(), ref.dim[ref.rank - 1]));
  return results;
}

}  // namespace weft::test
