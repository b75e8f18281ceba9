#include <algorithm>

#include "base/compact_sort.h"
#include "base/json.h"
#include "file/ranges.h"
#include "file/safetensors.h"

namespace weft {
namespace {

constexpr std::pair<std::string_view, DType> kDTypes[] = {
    {"F32", DType::f32}, {"F16", DType::f16}, {"BF16", DType::bf16}, {"I32", DType::i32},
    {"U32", DType::u32}, {"I8", DType::i8},   {"U8", DType::u8},
};
constexpr size_t kMaxDimensions = 8;  // of tensors that no model here asks for: the table still lists them

// A JSON parser keeps the last of two equal keys; the format forbids them. Each member of the outermost object has one
// colon at depth 1, so counting those tells.
size_t members_of_outermost_object(std::string_view json) {
  size_t colons = 0;
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (c == ':' && depth == 1) {
      ++colons;
    }
  }
  return colons;
}

// A non-negative integer below 2^62.
std::optional<int64_t> size_value(const Json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  const uint64_t number = value.get<uint64_t>();
  if (number >= uint64_t{1} << 62) return std::nullopt;
  return static_cast<int64_t>(number);
}

std::string short_dump(const Json* value) { return value ? dump_json(*value).substr(0, 80) : "nothing"; }

struct Header {
  const std::string& file;
  uint64_t data_begin, data_size;

  std::unexpected<Error> bad(const std::string& tensor, const char* member, std::string expected,
                             const Json* found) const {
    return fail(Code::bad_file, file, "tensor '" + tensor + "', " + member, std::move(expected), short_dump(found));
  }

  Result<TensorInfo> tensor(const std::string& name, const Json& row) const {
    TensorInfo t;
    t.name = name;
    const Json* dtype = json_member(row, "dtype");
    if (!dtype || !dtype->is_string()) return bad(name, "dtype", "a string", dtype);
    const auto& label = dtype->get_ref<const std::string&>();
    const auto* known = std::find_if(std::begin(kDTypes), std::end(kDTypes), [&](auto& d) { return d.first == label; });
    if (known == std::end(kDTypes))
      return fail(Code::unsupported, file, "tensor '" + name + "', dtype", "F32, F16 or BF16", label);
    t.dtype = known->second;

    const Json* shape = json_member(row, "shape");
    if (!shape || !shape->is_array() || shape->size() > kMaxDimensions)
      return bad(name, "shape", "an array of at most 8 sizes", shape);
    for (const Json& dimension : *shape) {
      const auto size = size_value(dimension);
      if (!size) return bad(name, "shape", "sizes from 0 to 2^62", shape);
      t.shape.push_back(*size);
    }

    const Json* offsets = json_member(row, "data_offsets");
    if (!offsets || !offsets->is_array() || offsets->size() != 2)
      return bad(name, "data_offsets", "[begin, end]", offsets);
    const auto begin = size_value((*offsets)[0]), end = size_value((*offsets)[1]);
    if (!begin || !end || *begin > *end) return bad(name, "data_offsets", "0 <= begin <= end", offsets);
    if (static_cast<uint64_t>(*end) > data_size)
      return bad(name, "data_offsets (truncated file?)",
                 "an end inside the data of " + std::to_string(data_size) + " bytes", offsets);
    t.offset = data_begin + static_cast<uint64_t>(*begin);
    t.bytes = static_cast<uint64_t>(*end - *begin);
    const auto implied = tensor_bytes(t.dtype, t.shape);
    if (!implied || *implied != t.bytes)
      return bad(name, "data_offsets",
                 implied ? std::to_string(*implied) + " bytes for shape " + shape_text(t.shape)
                         : "a tensor that fits in the file, shape " + shape_text(t.shape),
                 offsets);
    return t;
  }

  // In order of offset, tensors must follow one another from the first byte of the data to the last.
  Status check_cover(const std::vector<TensorInfo>& tensors) const {
    uint64_t position = data_begin;
    for (const TensorInfo& t : tensors) {
      if (t.offset != position)
        return fail(
            Code::bad_file, file, "tensor '" + t.name + "'",
            "to begin at byte " + std::to_string(position - data_begin) + " of the data",
            std::string(t.offset < position ? "an overlap" : "a hole") + ": " + std::to_string(t.offset - data_begin));
      position += t.bytes;
    }
    if (position != data_begin + data_size)
      return fail(Code::bad_file, file, "data",
                  std::to_string(position - data_begin) + " bytes, as the tensors add up to",
                  std::to_string(data_size));
    return {};
  }
};

}  // namespace

Result<SafetensorsHeader> parse_safetensors(std::string_view json, uint64_t file_size, const std::string& name) {
  CHECK(file_size >= 8 && json.size() <= file_size - 8);
  const Header header{name, 8 + json.size(), file_size - 8 - json.size()};
  WEFT_TRY(const Json root, parse_json(json, name));
  if (!root.is_object()) return fail(Code::bad_file, name, "header", "a JSON object", root.type_name());
  if (members_of_outermost_object(json) != root.size())
    return fail(Code::bad_file, name, "header", "each tensor name once", "a name that occurs twice");
  SafetensorsHeader result;
  for (auto member = root.begin(); member != root.end(); ++member) {
    if (member.key() == "__metadata__") {
      if (!member->is_object()) return fail(Code::bad_file, name, "__metadata__", "an object", member->type_name());
      for (auto comment = member->begin(); comment != member->end(); ++comment) {
        if (!comment->is_string())
          return fail(Code::bad_file, name, "__metadata__ '" + comment.key() + "'", "a string", comment->type_name());
        result.comment.emplace_back(comment.key(), comment->get_ref<const std::string&>());
      }
      continue;
    }
    WEFT_TRY(TensorInfo tensor, header.tensor(member.key(), *member));
    result.tensors.push_back(std::move(tensor));
  }
  compact_sort(result.tensors, [](const TensorInfo& a, const TensorInfo& b) {
    return std::tie(a.offset, a.bytes, a.name) < std::tie(b.offset, b.bytes, b.name);
  });
  WEFT_CHECK_OK(header.check_cover(result.tensors));
  return result;
}

}  // namespace weft
