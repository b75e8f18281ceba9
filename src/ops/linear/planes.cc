#include "ops/linear/planes.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/half.h"

namespace weft {
namespace {

// What a format has of each plane.
struct PlaneFormat {
  int low_bits, high_bits;       // of a value
  int scale_bytes, scale_block;  // bytes of scales per so many values
  int sub_bytes;                 // per 32 values
  bool super() const { return scale_block == 256; }
};

PlaneFormat plane_format(DType dtype) {
  switch (dtype) {
    case DType::q8_0:
      return {8, 0, 2, 32, 0};
    case DType::q4_0:
      return {4, 0, 2, 32, 0};
    case DType::q4_1:
      return {4, 0, 4, 32, 0};
    case DType::q5_0:
      return {4, 1, 2, 32, 0};
    case DType::q5_1:
      return {4, 1, 4, 32, 0};
    case DType::q2_k:
      return {2, 0, 4, 256, 2};
    case DType::q3_k:
      return {2, 1, 4, 256, 2};
    case DType::q4_k:
      return {4, 0, 4, 256, 2};
    case DType::q5_k:
      return {4, 1, 4, 256, 2};
    case DType::q6_k:
      return {4, 2, 4, 256, 2};
    default:
      CHECK(false);
      return {};
  }
}

// One file block taken apart: unsigned codes in order, and the bytes of the scale and sub planes.
struct Codes {
  uint8_t u[256];
  uint8_t scale[4] = {};
  uint8_t sub[16];
};

void read_32(DType dtype, const uint8_t* in, Codes& c) {
  const bool min = dtype == DType::q4_1 || dtype == DType::q5_1, fifth = dtype == DType::q5_0 || dtype == DType::q5_1;
  const int head = min ? 4 : 2;
  std::memcpy(c.scale, in, static_cast<size_t>(head));
  if (dtype == DType::q8_0) {
    std::memcpy(c.u, in + head, 32);
    return;
  }
  uint32_t high = 0;
  if (fifth) std::memcpy(&high, in + head, 4);
  const uint8_t* quants = in + head + (fifth ? 4 : 0);
  for (int i = 0; i < 16; ++i) {
    c.u[i] = static_cast<uint8_t>((quants[i] & 15) | (high >> i & 1) << 4);
    c.u[i + 16] = static_cast<uint8_t>(quants[i] >> 4 | (high >> (i + 16) & 1) << 4);
  }
}

// The 6-bit scales and minima of q4_k and q5_k: docs/file-formats.md.
void read_scale_min(const uint8_t* packed, uint8_t* sub) {
  for (int j = 0; j < 8; ++j) {
    sub[2 * j] = static_cast<uint8_t>(j < 4 ? packed[j] & 63 : (packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4);
    sub[2 * j + 1] = static_cast<uint8_t>(j < 4 ? packed[j + 4] & 63 : packed[j + 4] >> 4 | (packed[j] >> 6) << 4);
  }
}

void read_256(DType dtype, const uint8_t* in, Codes& c) {
  switch (dtype) {
    case DType::q2_k:
      std::memcpy(c.sub, in, 16);
      std::memcpy(c.scale, in + 80, 4);
      for (int v = 0; v < 256; ++v) c.u[v] = in[16 + v / 128 * 32 + v % 32] >> (v % 128 / 32 * 2) & 3;
      return;
    case DType::q3_k: {
      std::memcpy(c.scale, in + 108, 2);
      const uint8_t* packed = in + 96;
      for (int i = 0; i < 16; ++i) {
        const int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
        c.sub[i] = static_cast<uint8_t>((low | (packed[8 + i % 4] >> (2 * (i / 4)) & 3) << 4) - 32);
      }
      for (int v = 0; v < 256; ++v) {
        c.u[v] = static_cast<uint8_t>((in[32 + v / 128 * 32 + v % 32] >> (v % 128 / 32 * 2) & 3) |
                                      (in[v % 32] >> (v / 32) & 1) << 2);
      }
      return;
    }
    case DType::q4_k:
    case DType::q5_k:
      std::memcpy(c.scale, in, 4);
      read_scale_min(in + 4, c.sub);
      for (int v = 0; v < 256; ++v) {
        const uint8_t* quants = in + (dtype == DType::q4_k ? 16 : 48);
        const int high = dtype == DType::q5_k ? in[16 + v % 32] >> (v / 32) & 1 : 0;
        c.u[v] = static_cast<uint8_t>((quants[v / 64 * 32 + v % 32] >> (v / 32 % 2 * 4) & 15) | high << 4);
      }
      return;
    default:
      CHECK(dtype == DType::q6_k);
      std::memcpy(c.scale, in + 208, 2);
      std::memcpy(c.sub, in + 192, 16);
      for (int v = 0; v < 256; ++v) {
        const int half = v / 128, k = v % 128 / 32, l = v % 32;
        c.u[v] = static_cast<uint8_t>((in[half * 64 + k % 2 * 32 + l] >> (k / 2 * 4) & 15) |
                                      (in[128 + half * 32 + l] >> (2 * k) & 3) << 4);
      }
  }
}

// `bits` bits of each of 32 codes, from bit `shift` on.
uint8_t* write_plane(int bits, int shift, const uint8_t* u, uint8_t* out) {
  if (bits == 8) {
    std::memcpy(out, u, 32);
    return out + 32;
  }
  if (bits == 4) {
    for (int i = 0; i < 16; ++i) out[i] = static_cast<uint8_t>((u[i] & 15) | (u[i + 16] & 15) << 4);
    return out + 16;
  }
  if (bits == 2) {
    for (int b = 0; b < 8; ++b) {
      int byte = 0;
      for (int s = 0; s < 4; ++s) byte |= (u[8 * s + b] >> shift & 3) << (2 * s);
      out[b] = static_cast<uint8_t>(byte);
    }
    return out + 8;
  }
  if (bits == 1) {
    for (int i = 0; i < 4; ++i) {
      int byte = 0;
      for (int g = 0; g < 8; ++g) byte |= (u[4 * g + i] >> shift & 1) << g;
      out[i] = static_cast<uint8_t>(byte);
    }
    return out + 4;
  }
  return out;
}

// The reverse: ors the bits into `u`.
void read_plane(int bits, int shift, const uint8_t* in, uint8_t* u) {
  for (int v = 0; v < 32; ++v) {
    int code = 0;
    if (bits == 8) code = in[v];
    if (bits == 4) code = in[v % 16] >> (v / 16 * 4) & 15;
    if (bits == 2) code = in[v % 8] >> (v / 8 * 2) & 3;
    if (bits == 1) code = in[v % 4] >> (v / 4) & 1;
    u[v] = static_cast<uint8_t>(u[v] | code << shift);
  }
}

float half_at(const uint8_t* p) {
  uint16_t half;
  std::memcpy(&half, p, 2);
  return f16_to_f32(half);
}

}  // namespace

Planes planes_of(DType dtype, int64_t n, int64_t k) {
  const PlaneFormat f = plane_format(dtype);
  Planes planes;
  auto place = [&](Plane& plane, int64_t row_bytes) {
    plane = {align_up(planes.bytes, kGpuAlignment), align_up(row_bytes, 4)};
    planes.bytes = plane.offset + n * plane.row_bytes;
  };
  place(planes.low, k / 8 * f.low_bits);
  if (f.high_bits) place(planes.high, k / 8 * f.high_bits);
  place(planes.scale, k / f.scale_block * f.scale_bytes);
  if (f.sub_bytes) place(planes.sub, k / 32 * f.sub_bytes);
  planes.bytes = align_up(planes.bytes, 16);  // whole vec4<u32>
  return planes;
}

int64_t rows_of_part(DType dtype, int64_t n, int64_t k, WeightLayout layout, int64_t most) {
  const auto bytes = [&](int64_t rows) {
    const int64_t shape[2] = {rows, k};
    return align_up(layout_bytes(dtype, shape, layout), 16);
  };
  if (bytes(n) <= most) return n;
  int64_t rows = most * 256 / std::max<int64_t>(1, bytes(256)) / 16 * 16;
  while (rows > 0 && bytes(rows) > most) rows -= 16;
  return rows;
}

int64_t rows_of_part(const OpCall& call, const Caps& caps) {
  const ValueType& w = call.in[1];
  return rows_of_part(w.dtype, w.shape[0].count, w.shape[1].count, call.layout, caps.gpu.max_binding_bytes);
}

void pack_planes(DType dtype, int64_t k, int64_t rows, const uint8_t* in, PlanePointers out) {
  const PlaneFormat f = plane_format(dtype);
  const Planes planes = planes_of(dtype, 0, k);
  const DTypeInfo& block = info(dtype);
  for (int64_t r = 0; r < rows; ++r) {
    uint8_t *low = out.low + r * planes.low.row_bytes,
            *high = f.high_bits ? out.high + r * planes.high.row_bytes : nullptr;
    uint8_t *scale = out.scale + r * planes.scale.row_bytes,
            *sub = f.sub_bytes ? out.sub + r * planes.sub.row_bytes : nullptr;
    std::fill(scale + k / f.scale_block * f.scale_bytes, scale + planes.scale.row_bytes, uint8_t{0});
    for (int64_t c = 0; c < k; c += block.block, in += block.bytes) {
      Codes codes;
      if (f.super()) {
        read_256(dtype, in, codes);
      } else {
        read_32(dtype, in, codes);
      }
      for (int v = 0; v < block.block; v += 32) {
        low = write_plane(f.low_bits, 0, codes.u + v, low);
        if (high) high = write_plane(f.high_bits, f.low_bits, codes.u + v, high);
      }
      std::memcpy(scale, codes.scale, static_cast<size_t>(f.scale_bytes));
      scale += f.scale_bytes;
      if (sub) sub = std::copy_n(codes.sub, 16, sub);
    }
  }
}

PlanePointers plane_rows(const Planes& planes, uint8_t* weight, int64_t row) {
  auto at = [&](const Plane& plane) { return weight + plane.offset + row * plane.row_bytes; };
  return {at(planes.low), at(planes.high), at(planes.scale), at(planes.sub)};
}

void unpack_planes_row(DType dtype, int64_t n, int64_t k, const uint8_t* weight, int64_t row, float* out) {
  const PlaneFormat f = plane_format(dtype);
  const PlanePointers at = plane_rows(planes_of(dtype, n, k), const_cast<uint8_t*>(weight), row);
  for (int64_t b = 0; b < k / 32; ++b) {
    uint8_t u[32] = {};
    read_plane(f.low_bits, 0, at.low + b * 4 * f.low_bits, u);
    if (f.high_bits) read_plane(f.high_bits, f.low_bits, at.high + b * 4 * f.high_bits, u);
    const uint8_t* scales = at.scale + b * 32 / f.scale_block * f.scale_bytes;
    const float d = half_at(scales), m = f.scale_bytes == 4 ? half_at(scales + 2) : 0.0f;
    const uint8_t* sub = f.sub_bytes ? at.sub + 2 * b : nullptr;
    for (int v = 0; v < 32; ++v) {
      float q = u[v], scale = d, subtract = 0;
      switch (dtype) {
        case DType::q8_0:
          q = static_cast<int8_t>(u[v]);
          break;
        case DType::q4_0:
          q -= 8;
          break;
        case DType::q5_0:
          q -= 16;
          break;
        case DType::q4_1:
        case DType::q5_1:
          subtract = -m;
          break;
        case DType::q4_k:
        case DType::q5_k:
          scale = d * static_cast<float>(sub[0]);
          subtract = m * static_cast<float>(sub[1]);
          break;
        case DType::q2_k:
          scale = d * static_cast<float>(sub[v / 16] & 15);
          subtract = m * static_cast<float>(sub[v / 16] >> 4);
          break;
        default:  // q3_k, q6_k
          q -= dtype == DType::q3_k ? 4 : 32;
          scale = d * static_cast<float>(static_cast<int8_t>(sub[v / 16]));
      }
      *out++ = scale * q - subtract;
    }
  }
}

void format_constants(Constants& constants, DType dtype, int64_t k) {
  constants.u32("kFormat", static_cast<int64_t>(dtype)).u32("kColumns", k);
}

void matrix_constants(Constants& constants, std::string_view name, DType dtype, int64_t n, int64_t k,
                      int64_t byte_offset) {
  CHECK(byte_offset % 16 == 0);
  const Planes planes = is_block(dtype) ? planes_of(dtype, n, k) : Planes{};
  auto word = [&](const Plane& plane) { return std::to_string((byte_offset + plane.offset) / 4) + "u"; };
  constants.line("const " + std::string(name) + " = Matrix(" + word(planes.low) + ", " + word(planes.high) + ", " +
                 word(planes.scale) + ", " + word(planes.sub) + ");");
}

}  // namespace weft
