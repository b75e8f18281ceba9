#include <algorithm>

#include "file/gguf.h"
#include "file/gguf_cursor.h"
#include "file/ranges.h"

namespace weft {
namespace {

constexpr uint64_t kMaxNameBytes = 65535;  // the specification's limit for keys
// Smallest bytes of a pair (key of one byte, one-byte value) and of a row of the tensor table (one-byte name).
constexpr uint64_t kMinPairBytes = 8 + 1 + 4 + 1;
constexpr uint64_t kMinTensorBytes = 8 + 1 + 4 + 4 + 8;

constexpr std::string_view kTypeNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                           "bool", "string", "array", "u64", "i64", "f64"};

// Names of tensor types that exist but have no decoder here, so that the message can say more than a number.
std::string ggml_type_text(uint32_t type) {
  constexpr std::pair<uint32_t, std::string_view> kKnown[] = {
      {9, "q8_1"},    {15, "q8_k"},  {16, "iq2_xxs"}, {17, "iq2_xs"}, {18, "iq3_xxs"}, {19, "iq1_s"},
      {20, "iq4_nl"}, {21, "iq3_s"}, {22, "iq2_s"},   {23, "iq4_xs"}, {25, "i16"},     {27, "i64"},
      {28, "f64"},    {29, "iq1_m"}, {34, "tq1_0"},   {35, "tq2_0"},  {39, "mxfp4"}};
  std::string text = "type " + std::to_string(type);
  for (auto [number, label] : kKnown) {
    if (number == type) text += " (" + std::string(label) + ")";
  }
  return text;
}

int scalar_bytes(GgufType type) {
  switch (type) {
    case GgufType::u8:
    case GgufType::i8:
    case GgufType::boolean:
      return 1;
    case GgufType::u16:
    case GgufType::i16:
      return 2;
    case GgufType::u32:
    case GgufType::i32:
    case GgufType::f32:
      return 4;
    default:
      return 8;  // u64, i64, f64; the length of a string; the least of an array
  }
}

class Parser {
 public:
  Parser(GgufCursor& cursor) : c_(cursor), header_{Metadata(cursor.name()), {}} {}

  Result<GgufHeader> parse() {
    WEFT_CHECK_OK(prologue());
    for (uint64_t i = 0; i < pairs_; ++i) WEFT_CHECK_OK(pair(i));
    WEFT_TRY(const uint64_t alignment, data_alignment());
    header_.tensors.reserve(tensors_);
    for (uint64_t i = 0; i < tensors_; ++i) WEFT_CHECK_OK(tensor(i, alignment));
    WEFT_CHECK_OK(place(alignment));
    return std::move(header_);
  }

 private:
  Status prologue() {
    c_.about("header", {});
    WEFT_CHECK_OK(c_.require(4));
    const uint32_t magic = c_.take<uint32_t>();
    if (magic == 0x47475546u) return byte_swapped();
    if (magic != 0x46554747u) return c_.bad("magic", "'GGUF'", "other bytes");
    WEFT_TRY(const uint32_t version, c_.read<uint32_t>());
    // A big-endian file keeps the order of the letters "GGUF" and swaps everything after them.
    if (version > 0xFFFF && (version & 0xFFFF) == 0) return byte_swapped();
    if (version == 1)
      return fail(Code::unsupported, c_.name(), "GGUF version", "2 or 3", "1 (a pre-release layout)",
                  "convert the model again with a current converter");
    if (version != 2 && version != 3)
      return fail(Code::unsupported, c_.name(), "GGUF version", "2 or 3", std::to_string(version));
    WEFT_TRY(tensors_, c_.read<uint64_t>());
    WEFT_TRY(pairs_, c_.read<uint64_t>());
    c_.about("number of metadata pairs", {});
    WEFT_CHECK_OK(c_.require_in_file(pairs_, kMinPairBytes));
    c_.about("number of tensors", {});
    WEFT_CHECK_OK(c_.require_in_file(tensors_, kMinTensorBytes));
    if (tensors_ > kGgufMaxTensors || pairs_ > kGgufMaxTensors)
      return fail(Code::limit, c_.name(), "numbers of tensors and metadata pairs",
                  "at most " + std::to_string(kGgufMaxTensors),
                  std::to_string(tensors_) + " and " + std::to_string(pairs_));
    return {};
  }

  Status byte_swapped() const {
    return fail(Code::unsupported, c_.name(), "byte order of the GGUF file", "little-endian",
                "a byte-swapped (big-endian) file", "convert the model again for a little-endian machine");
  }

  Result<std::string_view> read_name(const char* kind, uint64_t index) {
    c_.about(kind, {});
    WEFT_TRY(const std::string_view name, c_.read_string());
    if (name.empty() || name.size() > kMaxNameBytes)
      return c_.bad(std::string(kind) + " " + std::to_string(index), "1 to 65535 bytes", std::to_string(name.size()));
    c_.about(kind, name);
    return name;
  }

  Result<GgufType> read_type() {
    WEFT_TRY(const uint32_t type, c_.read<uint32_t>());
    if (type >= std::size(kTypeNames))
      return c_.bad(c_.subject(), "a value type from 0 to 12", "type " + std::to_string(type));
    return static_cast<GgufType>(type);
  }

  Status pair(uint64_t index) {
    WEFT_TRY(const std::string_view key, read_name("metadata key", index));
    if (header_.metadata.has(key)) return c_.bad(c_.subject(), "each key once", "a second one");
    WEFT_TRY(const GgufType type, read_type());
    WEFT_TRY(MetaValue value, type == GgufType::array ? array() : scalar(type));
    header_.metadata.set(std::string(key), std::move(value));
    return {};
  }

  template <class T>
  int64_t integer() {
    return static_cast<int64_t>(c_.take<T>());
  }
  // The bytes are there.
  int64_t take_integer(GgufType type) {
    switch (type) {
      case GgufType::u8:
        return integer<uint8_t>();
      case GgufType::i8:
        return integer<int8_t>();
      case GgufType::u16:
        return integer<uint16_t>();
      case GgufType::i16:
        return integer<int16_t>();
      case GgufType::u32:
        return integer<uint32_t>();
      case GgufType::i32:
        return integer<int32_t>();
      default:
        return integer<int64_t>();
    }
  }
  double take_float(GgufType type) { return type == GgufType::f32 ? c_.take<float>() : c_.take<double>(); }

  Status check_integer(GgufType type, int64_t value) const {
    if (type != GgufType::u64 || value >= 0) return {};
    return fail(Code::unsupported, c_.name(), c_.subject(), "an integer below 2^63",
                std::to_string(static_cast<uint64_t>(value)));
  }
  Result<bool> take_bool() {
    const uint8_t value = c_.take<uint8_t>();
    if (value > 1) return c_.bad(c_.subject(), "a bool of 0 or 1", std::to_string(value));
    return value == 1;
  }

  Result<MetaValue> scalar(GgufType type) {
    if (type == GgufType::string) {
      WEFT_TRY(const std::string_view text, c_.read_string());
      return MetaValue(std::string(text));
    }
    WEFT_CHECK_OK(c_.require(scalar_bytes(type)));
    if (type == GgufType::f32 || type == GgufType::f64) return MetaValue(take_float(type));
    if (type == GgufType::boolean) {
      WEFT_TRY(const bool value, take_bool());
      return MetaValue(value);
    }
    const int64_t value = take_integer(type);
    WEFT_CHECK_OK(check_integer(type, value));
    return MetaValue(value);
  }

  Result<MetaValue> array() {
    WEFT_TRY(const GgufType type, read_type());
    WEFT_TRY(const uint64_t count, c_.read<uint64_t>());
    if (type == GgufType::array)
      return fail(Code::unsupported, c_.name(), c_.subject(), "an array of numbers, bools or strings",
                  "an array of arrays");
    WEFT_CHECK_OK(c_.require(count, scalar_bytes(type)));
    if (count > kGgufMaxArrayElements - elements_)
      return fail(Code::limit, c_.name(), c_.subject(),
                  "at most " + std::to_string(kGgufMaxArrayElements) + " array elements in the file",
                  std::to_string(count) + " more than " + std::to_string(elements_));
    elements_ += count;
    if (type == GgufType::string) {
      std::vector<std::string> values;
      values.reserve(count);
      for (uint64_t i = 0; i < count; ++i) {
        WEFT_TRY(const std::string_view text, c_.read_string());
        values.emplace_back(text);
      }
      return MetaValue(std::move(values));
    }
    if (type == GgufType::f32 || type == GgufType::f64) {
      std::vector<double> values(count);
      for (double& value : values) value = take_float(type);
      return MetaValue(std::move(values));
    }
    if (type == GgufType::boolean) {
      std::vector<bool> values(count);
      for (uint64_t i = 0; i < count; ++i) {
        WEFT_TRY(const bool value, take_bool());
        values[i] = value;
      }
      return MetaValue(std::move(values));
    }
    std::vector<int64_t> values(count);
    for (int64_t& value : values) {
      value = take_integer(type);
      WEFT_CHECK_OK(check_integer(type, value));
    }
    return MetaValue(std::move(values));
  }

  Result<uint64_t> data_alignment() const {
    WEFT_TRY(const int64_t alignment,
             header_.metadata.get_or<int64_t>("general.alignment", static_cast<int64_t>(kGgufDefaultAlignment)));
    if (alignment < 1 || alignment > 1 << 20 || !std::has_single_bit(static_cast<uint64_t>(alignment)))
      return c_.bad("metadata key 'general.alignment'", "a power of two up to 1048576", std::to_string(alignment));
    return static_cast<uint64_t>(alignment);
  }

  Status tensor(uint64_t index, uint64_t alignment) {
    WEFT_TRY(const std::string_view name, read_name("tensor", index));
    TensorInfo t;
    t.name = name;
    WEFT_TRY(const uint32_t dimensions, c_.read<uint32_t>());
    if (dimensions > kGgufMaxDimensions)
      return c_.bad(c_.subject(), "at most 4 dimensions", std::to_string(dimensions));
    WEFT_CHECK_OK(c_.require(dimensions * 8 + 4 + 8));
    t.shape.resize(dimensions);
    for (uint32_t i = dimensions; i-- > 0;) {  // the file counts from the innermost
      t.shape[i] = c_.take<int64_t>();
      if (t.shape[i] < 1)
        return c_.bad(c_.subject(), "dimensions from 1 to 2^63 - 1", std::to_string(static_cast<uint64_t>(t.shape[i])));
    }
    const uint32_t type = c_.take<uint32_t>();
    const auto dtype = dtype_from_ggml(type);
    if (!dtype)
      return fail(Code::unsupported, c_.name(), c_.subject(), "a tensor type of docs/file-formats.md",
                  ggml_type_text(type));
    t.dtype = *dtype;
    const int64_t row = dimensions ? t.shape.back() : 1;
    if (row % info(t.dtype).block != 0)
      return c_.bad(c_.subject(),
                    "rows that are a multiple of " + std::to_string(info(t.dtype).block) + " (" +
                        std::string(weft::name(t.dtype)) + ")",
                    "shape " + shape_text(t.shape));
    const auto bytes = tensor_bytes(t.dtype, t.shape);
    if (!bytes || *bytes > c_.left() + c_.position())
      return c_.bad(c_.subject(), "a tensor that fits in the file", "shape " + shape_text(t.shape));
    t.bytes = *bytes;
    t.offset = c_.take<uint64_t>();
    if (t.offset % alignment != 0)
      return c_.bad(c_.subject(), "an offset that is a multiple of " + std::to_string(alignment),
                    std::to_string(t.offset));
    header_.tensors.push_back(std::move(t));
    return {};
  }

  // Turns offsets in the data section into offsets in the file, and checks ranges against it and each other.
  Status place(uint64_t alignment) {
    if (header_.tensors.empty()) return {};
    const uint64_t file_size = c_.position() + c_.left();
    const uint64_t begin = *align_up(c_.position(), alignment);  // position is below 2^28
    if (begin > file_size)
      return c_.bad("truncated: data section", "to begin at byte " + std::to_string(begin),
                    std::to_string(file_size) + " bytes in the file");
    const uint64_t size = file_size - begin;
    for (TensorInfo& t : header_.tensors) {
      if (t.offset > size || t.bytes > size - t.offset)
        return c_.bad("truncated: tensor '" + t.name + "'",
                      std::to_string(t.bytes) + " bytes at " + std::to_string(t.offset) + " of the data section",
                      "a data section of " + std::to_string(size) + " bytes");
      t.offset += begin;
    }
    return check_no_overlap(header_.tensors, c_.name());
  }

  GgufCursor& c_;
  GgufHeader header_;
  uint64_t tensors_ = 0, pairs_ = 0, elements_ = 0;
};

}  // namespace

Result<GgufParse> parse_gguf(std::span<const std::byte> window, uint64_t file_size, const std::string& name) {
  GgufCursor cursor(window, file_size, name);
  auto header = Parser(cursor).parse();
  GgufParse result;
  if (header) {
    result.header = *std::move(header);
  } else {
    if (cursor.need() <= window.size() || cursor.need() > kGgufMaxHeaderBytes) return fail(std::move(header).error());
    result.need = cursor.need();
  }
  return result;
}

}  // namespace weft
