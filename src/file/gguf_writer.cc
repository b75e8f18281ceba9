#include "file/gguf_writer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "file/gguf.h"
#include "file/ranges.h"

namespace weft {
namespace {

constexpr uint64_t kAlignment = kGgufDefaultAlignment;

struct Bytes {
  std::string text;

  template <class T>
  void number(T value) {
    text.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void type(GgufType value) { number(static_cast<uint32_t>(value)); }
  void string(std::string_view value) {
    number<uint64_t>(value.size());
    text += value;
  }
};

template <class T>
bool fits(int64_t value) {
  return std::in_range<T>(value);
}

// The narrowest type that the readers of other tools expect (see gguf_writer.h).
GgufType scalar_type(int64_t value) {
  if (fits<uint32_t>(value)) return GgufType::u32;
  if (fits<int32_t>(value)) return GgufType::i32;
  return value < 0 ? GgufType::i64 : GgufType::u64;
}

bool is_float(double value) {
  if (value != value) return true;
  if (std::abs(value) > std::numeric_limits<float>::max() && std::abs(value) <= std::numeric_limits<double>::max())
    return false;
  return static_cast<double>(static_cast<float>(value)) == value;
}

void put_integer(Bytes& out, GgufType type, int64_t value) {
  if (type == GgufType::u32 || type == GgufType::i32)
    out.number(static_cast<uint32_t>(value));
  else
    out.number(value);
}

void put_float(Bytes& out, GgufType type, double value) {
  if (type == GgufType::f32)
    out.number(static_cast<float>(value));
  else
    out.number(value);
}

struct PutValue {
  Bytes& out;

  void operator()(bool value) {
    out.type(GgufType::boolean);
    out.number<uint8_t>(value);
  }
  void operator()(int64_t value) {
    const GgufType type = scalar_type(value);
    out.type(type);
    put_integer(out, type, value);
  }
  void operator()(double value) {
    const GgufType type = is_float(value) ? GgufType::f32 : GgufType::f64;
    out.type(type);
    put_float(out, type, value);
  }
  void operator()(const std::string& value) {
    out.type(GgufType::string);
    out.string(value);
  }
  void array(GgufType type, size_t count) {
    out.type(GgufType::array);
    out.type(type);
    out.number<uint64_t>(count);
  }
  void operator()(const std::vector<bool>& values) {
    array(GgufType::boolean, values.size());
    for (bool value : values) out.number<uint8_t>(value);
  }
  void operator()(const std::vector<int64_t>& values) {
    const auto all = [&](auto fit) { return std::all_of(values.begin(), values.end(), fit); };
    const GgufType type = all(fits<int32_t>) ? GgufType::i32 : all(fits<uint32_t>) ? GgufType::u32 : GgufType::i64;
    array(type, values.size());
    for (int64_t value : values) put_integer(out, type, value);
  }
  void operator()(const std::vector<double>& values) {
    const GgufType type = std::all_of(values.begin(), values.end(), is_float) ? GgufType::f32 : GgufType::f64;
    array(type, values.size());
    for (double value : values) put_float(out, type, value);
  }
  void operator()(const std::vector<std::string>& values) {
    array(GgufType::string, values.size());
    for (const std::string& value : values) out.string(value);
  }
};

std::span<const std::byte> as_bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

}  // namespace

Status GgufWriter::set(std::string key, MetaValue value) {
  if (key.empty() || key.size() > 65535)
    return fail(Code::invalid_argument, metadata_.source(), "metadata key", "1 to 65535 bytes",
                std::to_string(key.size()));
  metadata_.set(std::move(key), std::move(value));
  return {};
}

Status GgufWriter::set_all(const Metadata& metadata) {
  for (const std::string& key : metadata.keys()) {
    if (key != "general.alignment") WEFT_CHECK_OK(set(key, *metadata.find(key)));
  }
  return {};
}

Status GgufWriter::add_tensor(std::string name, DType dtype, std::vector<int64_t> shape) {
  auto bad = [&](const char* what, std::string expected, std::string found) {
    return fail(Code::invalid_argument, metadata_.source(), "tensor '" + name + "', " + what, std::move(expected),
                std::move(found));
  };
  CHECK(!begun_);
  if (name.empty() || name.size() > 65535) return bad("name", "1 to 65535 bytes", std::to_string(name.size()));
  for (const Tensor& t : tensors_) {
    if (t.name == name) return bad("name", "each name once", "a second one");
  }
  if (info(dtype).ggml_type < 0) return bad("type", "one that GGUF has", std::string(weft::name(dtype)));
  const bool positive = std::all_of(shape.begin(), shape.end(), [](int64_t n) { return n > 0; });
  if (shape.size() > kGgufMaxDimensions || !positive) return bad("shape", "at most 4 sizes above 0", shape_text(shape));
  if ((shape.empty() ? 1 : shape.back()) % info(dtype).block != 0)
    return bad("shape", "rows that are a multiple of " + std::to_string(info(dtype).block), shape_text(shape));
  const auto bytes = tensor_bytes(dtype, shape);
  if (!bytes) return bad("shape", "a size below 2^62", shape_text(shape));
  const auto end = align_up(data_bytes_ + *bytes, kAlignment);
  if (!end || *end >= uint64_t{1} << 62) return bad("shape", "a file below 2^62 bytes", shape_text(shape));
  tensors_.push_back({std::move(name), dtype, std::move(shape), data_bytes_, *bytes});
  data_bytes_ = *end;
  return {};
}

std::string GgufWriter::header() const {
  Bytes out;
  out.text += kGgufMagic;
  out.number<uint32_t>(3);
  out.number<uint64_t>(tensors_.size());
  out.number<uint64_t>(metadata_.keys().size());
  for (const std::string& key : metadata_.keys()) {
    out.string(key);
    std::visit(PutValue{out}, *metadata_.find(key));
  }
  for (const Tensor& t : tensors_) {
    out.string(t.name);
    out.number(static_cast<uint32_t>(t.shape.size()));
    for (size_t i = t.shape.size(); i-- > 0;) out.number(t.shape[i]);
    out.number(static_cast<uint32_t>(info(t.dtype).ggml_type));
    out.number(t.offset);
  }
  if (!tensors_.empty()) out.text.resize(*align_up(out.text.size(), kAlignment));
  return std::move(out.text);
}

uint64_t GgufWriter::file_bytes() const { return header().size() + data_bytes_; }

Status GgufWriter::begin() {
  CHECK(!begun_);
  begun_ = true;
  return sink_.write(as_bytes(header()));
}

Status GgufWriter::pad(uint64_t bytes) {
  constexpr std::byte kZeros[kAlignment] = {};
  return bytes ? sink_.write(std::span(kZeros).first(bytes)) : Status{};
}

Status GgufWriter::write(std::span<const std::byte> bytes) {
  CHECK(begun_);
  while (!bytes.empty()) {
    if (current_ == tensors_.size())
      return fail(Code::invalid_argument, metadata_.source(), "bytes of tensors", "as many as the table says",
                  std::to_string(bytes.size()) + " more");
    const Tensor& t = tensors_[current_];
    const uint64_t take = std::min<uint64_t>(bytes.size(), t.bytes - written_);
    WEFT_CHECK_OK(sink_.write(bytes.first(take)));
    bytes = bytes.subspan(take);
    written_ += take;
    if (written_ == t.bytes) {
      WEFT_CHECK_OK(pad(*align_up(t.bytes, kAlignment) - t.bytes));
      ++current_;
      written_ = 0;
    }
  }
  return {};
}

Status GgufWriter::end() {
  CHECK(begun_);
  if (current_ == tensors_.size()) return sink_.commit();
  const Tensor& t = tensors_[current_];
  return fail(Code::invalid_argument, metadata_.source(), "tensor '" + t.name + "'", std::to_string(t.bytes) + " bytes",
              std::to_string(written_));
}

}  // namespace weft
