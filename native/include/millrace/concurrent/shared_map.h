#pragma once

#include <cstdint>
#include <memory>
#include <variant>

#include "millrace/base/shared_object.h"
#include "millrace/base/system_error.h"
#include "millrace/concurrent/concurrent_map.h"

namespace millrace {

// What a map's keys and values are. Numbers are part of tokens and of the addon's interface.
struct MapKinds {
  enum class Key : std::uint8_t { kString, kU64, kFdSequence };
  enum class Value : std::uint8_t { kBytes, kString, kF64, kI64, kJson };
  Key key = Key::kString;
  Value value = Value::kBytes;

  bool word_keys() const noexcept { return key != Key::kString; }
  bool word_values() const noexcept { return value == Value::kF64 || value == Value::kI64; }
};

// A map that several threads of the process hold, each having opened or attached it; its memory
// goes with the last holder. open() and find() are for any thread.
class SharedMap : public SharedObject<SharedMap> {
 public:
  using Map = std::variant<ConcurrentWordMap, ConcurrentByteMap>;

  explicit SharedMap(MapKinds kinds) : kinds_(kinds) {
    if (!kinds.word_keys() || !kinds.word_values()) map.emplace<ConcurrentByteMap>();
  }

  // Null and an error when the memory cannot be had.
  static std::shared_ptr<SharedMap> open(MapKinds kinds, const MapOptions& options,
                                         SystemError& error) {
    auto shared = make(kinds);
    error = std::visit([&](auto& map) { return map.open(options); }, shared->map);
    return error ? nullptr : shared;
  }

  MapKinds kinds() const noexcept { return kinds_; }

  // Words where keys and values both are; else bytes, in which a word is its eight bytes.
  Map map;

  // What a map of these options takes at most.
  static std::size_t bytes(MapKinds kinds, const MapOptions& options) noexcept {
    return kinds.word_keys() && kinds.word_values() ? ConcurrentWordMap::bytes(options)
                                                    : ConcurrentByteMap::bytes(options);
  }

 private:
  MapKinds kinds_;
};

}  // namespace millrace
