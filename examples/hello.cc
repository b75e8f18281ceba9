// Prints a story from the model built into the library, or from the file named on the command line.
//
//   c++ -std=c++20 hello.cc $(pkg-config --cflags --libs weft) -o hello && ./hello [model.gguf]
#include <iostream>
#include <weft/weft.hpp>

int main(int argc, char** argv) {
  auto model = argc > 1 ? weft::Model::load(argv[1]) : weft::Model::load();
  if (!model) {
    std::cerr << "hello: " << model.error().message << '\n';
    return 1;
  }
  auto session = model->new_session();
  if (!session) {
    std::cerr << "hello: " << session.error().message << '\n';
    return 1;
  }

  const std::string prompt = "Once upon a time";
  weft::GenerateOptions options;
  options.max_tokens = 60;
  options.seed = 7;
  std::cout << prompt;
  auto answer = session->generate(prompt, options, [](const weft::Token& token) {
    std::cout << token.text << std::flush;
    return true;
  });
  if (!answer) {
    std::cerr << "hello: " << answer.error().message << '\n';
    return 1;
  }
  std::cout << "\n[" << answer->stop() << ", " << answer->ids().size() << " tokens, weft " << weft::version() << "]\n";
}
