#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "millrace/concurrent/map_fragment.h"

// Text as a map keeps it: one byte a unit where every unit fits into one, else two (`kind`). So
// each string, with lone surrogates too, is one sequence of bytes, and no two are the same.
// Owns a buffer that grows to the longest text and, by shrink(), falls back from above a megabyte.
class TextBuffer {
 public:
  // The bytes stay until the next call.
  millrace::MapBytes read(napi_env env, napi_value text) {
    std::size_t units = 0;
    napi_get_value_string_utf16(env, text, units_.get(), capacity_, &units);
    if (units + 1 >= capacity_) {  // Perhaps cut off.
      napi_get_value_string_utf16(env, text, nullptr, 0, &units);
      reserve(units + 2);
      napi_get_value_string_utf16(env, text, units_.get(), capacity_, &units);
    }
    char16_t all = 0;
    for (std::size_t i = 0; i < units; ++i) all |= units_[i];
    auto* const bytes = reinterpret_cast<std::byte*>(units_.get());
    if (all > 0xff) return {bytes, static_cast<std::uint32_t>(units * 2), true};
    // Over itself: byte i is written after unit i / 2 has been read.
    for (std::size_t i = 0; i < units; ++i) bytes[i] = static_cast<std::byte>(units_[i]);
    return {bytes, static_cast<std::uint32_t>(units), false};
  }

  // At least `bytes`.
  std::span<std::byte> room(std::size_t bytes) {
    reserve(bytes / 2 + 1);
    return {reinterpret_cast<std::byte*>(units_.get()), capacity_ * 2};
  }

  void shrink() {
    if (capacity_ <= kKept) return;
    capacity_ = kFirst;
    units_ = std::make_unique_for_overwrite<char16_t[]>(capacity_);
  }

 private:
  static constexpr std::size_t kFirst = 8192;
  static constexpr std::size_t kKept = std::size_t{512} << 10;

  void reserve(std::size_t units) {
    if (units <= capacity_) return;
    capacity_ = units;
    units_ = std::make_unique_for_overwrite<char16_t[]>(capacity_);
  }

  std::size_t capacity_ = kFirst;
  std::unique_ptr<char16_t[]> units_ = std::make_unique_for_overwrite<char16_t[]>(kFirst);
};
