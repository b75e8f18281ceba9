// GGUF: the whole path from bytes to decoded weights, mapped and read. The last byte of the input chooses: bit 0
// mapped, bit 1 the file as the first of two parts that both are this input.
#include "model_checks.h"

using namespace weft;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const uint8_t choice = data[size - 1];
  const auto bytes = std::as_bytes(std::span(data, size - 1));
  fuzz::PieceHost host;
  host.map = choice & 1;
  std::string path = "m.gguf";
  if (choice & 2) {
    path = "m-00001-of-00002.gguf";
    host.files["m-00002-of-00002.gguf"] = bytes;
  }
  host.files[path] = bytes;
  auto file = fuzz::run(open_tensor_file(host, path));
  if (file)
    fuzz::check_model(*file);
  else
    fuzz::check_error(file.error());
  return 0;
}
