#pragma once

#include <node_api.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "environment.h"
#include "millrace/concurrent/shared_map.h"
#include "taken.h"

// What one call of a scan found: copied out under the shards' locks, then made into an array for
// JavaScript without them.
class ScanRows {
 public:
  static constexpr std::uint32_t kMost = 1024;

  // `values`: the values too.
  ScanRows(const Call& call, bool values)
      : call_(call), values_(values), bytes_(call.at().answer.room(kBytes)) {
    rows_.reserve(kMost);
  }

  bool take(const millrace::MapWords::Entry& entry) {
    if (rows_.size() == kMost) return false;
    rows_.push_back({entry.key(), entry.value(), {}, {}});
    return true;
  }

  bool take(const millrace::MapByteEntry& entry) {
    const millrace::MapBytes key = entry.key();
    const std::uint32_t value_bytes = values_ ? entry.value_bytes() : 0;
    // Aligned: text may have two bytes a unit.
    const std::size_t value_at = (used_ + key.size + 7) & ~std::size_t{7};
    const std::size_t end = (value_at + value_bytes + 7) & ~std::size_t{7};
    if (rows_.size() == kMost || end > bytes_.size()) {
      if (rows_.empty()) needed_ = end;
      return false;
    }
    std::byte* const key_to = bytes_.data() + used_;
    std::byte* const value_to = bytes_.data() + value_at;
    if (key.size != 0) std::memcpy(key_to, key.data, key.size);
    if (values_) entry.copy_value(value_to);
    rows_.push_back(
        {0, 0, {key_to, key.size, key.kind}, {value_to, value_bytes, entry.value_kind()}});
    used_ = end;
    return true;
  }

  // Whether to scan once more: the first entry alone needs more room, which there is now.
  bool again() {
    if (needed_ == 0) return false;
    bytes_ = call_.at().answer.room(needed_);
    needed_ = 0;
    return true;
  }

  // Keys, or keys and values by turns.
  napi_value array() const {
    napi_value array = nullptr;
    napi_create_array_with_length(call_.env(), rows_.size() * (values_ ? 2 : 1), &array);
    std::uint32_t at = 0;
    for (const Row& row : rows_) {
      napi_set_element(call_.env(), array, at++, key_of(row));
      if (values_) napi_set_element(call_.env(), array, at++, value_of(row));
    }
    return array;
  }

 private:
  using ValueKind = millrace::MapKinds::Value;

  // In a map of words, the words; else the bytes.
  struct Row {
    std::uint64_t key_word;
    std::uint64_t value_word;
    millrace::MapBytes key;
    millrace::MapBytes value;
  };

  static constexpr std::size_t kBytes = std::size_t{256} << 10;

  static std::uint64_t word_of(millrace::MapBytes bytes, std::uint64_t word) {
    if (bytes.data != nullptr) std::memcpy(&word, bytes.data, sizeof word);
    return word;
  }

  napi_value key_of(const Row& row) const {
    if (!call_.shared().kinds().word_keys()) return string_of(call_.env(), row.key);
    napi_value key = nullptr;
    napi_create_bigint_uint64(call_.env(), word_of(row.key, row.key_word), &key);
    return key;
  }

  napi_value value_of(const Row& row) const {
    const napi_env env = call_.env();
    napi_value value = nullptr;
    switch (call_.shared().kinds().value) {
      case ValueKind::kF64:
        napi_create_double(env, std::bit_cast<double>(word_of(row.value, row.value_word)), &value);
        break;
      case ValueKind::kI64:
        napi_create_bigint_int64(env, static_cast<std::int64_t>(word_of(row.value, row.value_word)),
                                 &value);
        break;
      case ValueKind::kBytes:
        napi_create_buffer_copy(env, row.value.size, row.value.data, nullptr, &value);
        break;
      case ValueKind::kString:
      case ValueKind::kJson:
        value = string_of(env, row.value);
        break;
    }
    return value;
  }

  const Call& call_;
  bool values_;
  std::span<std::byte> bytes_;
  std::size_t used_ = 0;
  std::size_t needed_ = 0;
  std::vector<Row> rows_;
};
