// Case tables: for every op the calls that each kernel is tested with, on every device and instruction set, and that
// the micro-benchmark times. A case is a name and types; its data follow from the name.
//
//   for (const Case& c : op_cases(Op::rms_norm)) {
//     const Graph graph = case_graph(c);                       // one node
//     const HostTensor x = case_data(c, 0);                    // input 0
//   }
#pragma once

#include <string>
#include <vector>

#include "graph/interpreter.h"

namespace weft {

struct CaseTensor {
  enum class Role : uint8_t { absent, activation, weight, constant, state } role = Role::activation;
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  bool rows = false;  // the outermost dimension is T: row t of the result depends on row t of this alone
  // i32: values below `limit`, drawn at random, or where `ascending` 0, 1, 2 … + limit - rows (cells of a cache).
  int32_t limit = 0;
  bool ascending = false;
  float spread = 1;  // floats are normal with this deviation
};

struct Case {
  std::string name;
  Op op;
  Attrs attrs;
  std::vector<CaseTensor> in;
  float rtol = 1e-5f, atol = 1e-5f;
};

std::vector<Case> op_cases(Op op);
// Products with the shapes of the benchmark's models: by 512 tokens, and where the weight has more than 5 M elements
// (up to 525 M) by one or two. Like op_cases in all else, but their references and data take seconds to minutes: for
// real GPUs and benchmarks, not for tests on software GPUs.
std::vector<Case> large_cases(Op op);

// A graph of one node over values of these types. Aborts if a case contradicts the op's shape rules.
Graph case_graph(const Case& c);
// Input `index` as floats or i32, the same on every machine. Values of a block type are not yet rounded to it.
HostTensor case_data(const Case& c, int index);
// Elements [first, first + out.size()) of a floating-point one.
void case_floats(const Case& c, int index, int64_t first, std::span<float> out);

// Short forms for the tables.
inline CaseTensor rows_of_f32(std::vector<int64_t> shape, float spread = 1) {
  return {.shape = std::move(shape), .rows = true, .spread = spread};
}
inline CaseTensor weight_of(DType dtype, std::vector<int64_t> shape, float spread = 1) {
  return {CaseTensor::Role::weight, dtype, std::move(shape), false, 0, false, spread};
}
inline CaseTensor state_of(DType dtype, std::vector<int64_t> shape) {
  return {.role = CaseTensor::Role::state, .dtype = dtype, .shape = std::move(shape)};
}
inline CaseTensor indices(int64_t rows, int32_t limit, bool ascending = false) {
  return {.dtype = DType::i32, .shape = {rows}, .rows = true, .limit = limit, .ascending = ascending};
}

}  // namespace weft
