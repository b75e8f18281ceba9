#include <algorithm>
#include <cstdio>
#include <set>

#include "file/gguf.h"
#include "file/ranges.h"

namespace weft {
namespace {

constexpr uint64_t kFirstWindow = uint64_t{1} << 20;

// A source that is not mapped is read in a few large pieces: the window grows fourfold and parsing starts again, which
// costs a third more than parsing once and keeps the parser free of suspension points.
Task<Result<GgufHeader>> read_header(ByteSource& source) {
  const uint64_t size = source.size();
  if (const std::byte* map = source.mapped()) {
    const uint64_t window = std::min(size, kGgufMaxHeaderBytes);
    WEFT_CO_TRY(GgufParse parse, parse_gguf({map, static_cast<size_t>(window)}, size, source.name()));
    co_return *std::move(parse.header);
  }
  std::vector<std::byte> window;
  uint64_t want = kFirstWindow;
  while (true) {
    const uint64_t have = window.size();
    window.resize(std::min(want, size));
    WEFT_CO_CHECK_OK(co_await source.read(have, std::span(window).subspan(have)));
    WEFT_CO_TRY(GgufParse parse, parse_gguf(window, size, source.name()));
    if (parse.header) co_return *std::move(parse.header);
    want = std::min(std::max<uint64_t>(parse.need, window.size() * 4), kGgufMaxHeaderBytes);
  }
}

struct SplitName {
  std::string stem;  // before "-00001-of-00003.gguf"
  int number = 0, count = 0;
};

std::optional<int> five_digits(std::string_view text) {
  int value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::optional<SplitName> parse_split_name(const std::string& path) {
  constexpr size_t kTail = std::string_view("-00001-of-00003.gguf").size();
  if (path.size() < kTail) return std::nullopt;
  const std::string_view tail = std::string_view(path).substr(path.size() - kTail);
  const auto number = five_digits(tail.substr(1, 5)), count = five_digits(tail.substr(10, 5));
  if (tail[0] != '-' || tail.substr(6, 4) != "-of-" || tail.substr(15) != ".gguf" || !number || !count)
    return std::nullopt;
  return SplitName{path.substr(0, path.size() - kTail), *number, *count};
}

std::string split_path(const SplitName& name, int number) {
  char tail[32];
  std::snprintf(tail, sizeof tail, "-%05d-of-%05d.gguf", number, name.count);
  return name.stem + tail;
}

Status check_part(const Metadata& metadata, int64_t number, int64_t count) {
  WEFT_TRY(const int64_t no, metadata.get<int64_t>("split.no"));
  WEFT_TRY(const int64_t parts, metadata.get<int64_t>("split.count"));
  if (no != number || parts != count)
    return fail(Code::bad_file, metadata.source(), "metadata keys 'split.no' and 'split.count'",
                std::to_string(number) + " and " + std::to_string(count) + " (from the file's name)",
                std::to_string(no) + " and " + std::to_string(parts),
                "keep the names that the parts were published under");
  return {};
}

Status check_unique(const std::vector<TensorInfo>& tensors, const std::string& file) {
  std::set<std::string_view> names;
  for (const TensorInfo& t : tensors) {
    if (!names.insert(t.name).second)
      return fail(Code::bad_file, file, "tensor '" + t.name + "'", "each name once", "a second one");
  }
  return {};
}

}  // namespace

Task<Result<std::shared_ptr<TensorFile>>> open_gguf(Host& host, std::string path, std::unique_ptr<ByteSource> source) {
  WEFT_CO_TRY(GgufHeader header, co_await read_header(*source));
  std::vector<std::unique_ptr<ByteSource>> sources;
  WEFT_CO_TRY(const int64_t count, header.metadata.get_or<int64_t>("split.count", 1));
  if (count <= 1) {
    sources.push_back(std::move(source));
    WEFT_CO_CHECK_OK(check_unique(header.tensors, path));
    co_return std::make_shared<TensorFile>(FileFormat::gguf, std::move(header.metadata), std::move(header.tensors),
                                           std::move(sources));
  }

  const auto name = parse_split_name(path);
  if (!name || name->count != count || name->number < 1 || name->number > count)
    co_return fail(Code::bad_file, path, "name of one part of a split model",
                   "to end in '-00001-of-" + std::to_string(100000 + count).substr(1) + ".gguf' or the like",
                   "another name", "keep the names that the parts were published under");
  Metadata metadata;
  std::vector<TensorInfo> tensors;
  for (int part = 0; part < count; ++part) {
    const std::string part_path = split_path(*name, part + 1);
    if (part + 1 != name->number) {
      auto opened = host.open(part_path);
      if (!opened) {
        Error error = std::move(opened).error();
        error.what = "part " + std::to_string(part + 1) + " of " + std::to_string(count) + " of the split model";
        co_return fail(std::move(error));
      }
      sources.push_back(*std::move(opened));
    } else {
      sources.push_back(std::move(source));
    }
    if (part > 0 || name->number != 1) {  // else `header` is that of the first part already
      WEFT_CO_TRY(header, co_await read_header(*sources.back()));
    }
    WEFT_CO_CHECK_OK(check_part(header.metadata, part, count));
    for (TensorInfo& t : header.tensors) {
      t.part = part;
      tensors.push_back(std::move(t));
    }
    if (part == 0) metadata = std::move(header.metadata);
  }
  WEFT_CO_TRY(const int64_t total, metadata.get<int64_t>("split.tensors.count"));
  if (total != static_cast<int64_t>(tensors.size()))
    co_return fail(Code::bad_file, path, "tensors in all parts", std::to_string(total) + " (split.tensors.count)",
                   std::to_string(tensors.size()));
  WEFT_CO_CHECK_OK(check_unique(tensors, path));
  // What is open now is one model: a copy written from it is not split.
  for (const char* key : {"split.no", "split.count", "split.tensors.count"}) metadata.remove(key);
  co_return std::make_shared<TensorFile>(FileFormat::gguf, std::move(metadata), std::move(tensors), std::move(sources));
}

}  // namespace weft
