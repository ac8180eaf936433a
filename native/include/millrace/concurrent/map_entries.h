#pragma once

#include <cstdint>

#include "millrace/concurrent/keyed_hash.h"
#include "millrace/concurrent/map_entry_log.h"
#include "millrace/concurrent/map_fragment.h"
#include "millrace/concurrent/map_pages.h"

namespace millrace {

// What the slots of a map mean: a slot has a key word and a value word.

// 64-bit keys and values, both in the slot: readers need no lock.
struct MapWords {
  static constexpr bool kInSlot = true;
  using Key = std::uint64_t;
  using Value = std::uint64_t;

  class Entry {
   public:
    Entry(Key key, Value value, std::uint64_t meta) noexcept
        : key_(key), value_(value), meta_(meta) {}
    Key key() const noexcept { return key_; }
    Value value() const noexcept { return value_; }
    bool value_is(Value expected) const noexcept { return value_ == expected; }
    std::uint64_t meta() const noexcept { return meta_; }

   private:
    Key key_;
    Value value_;
    std::uint64_t meta_;
  };

  struct Log {
    void release(MapPages&, std::uint64_t) noexcept {}
    void clear(MapPages&) noexcept {}
  };

  static std::uint64_t hash_of(const KeyedHash& hash, Key key) noexcept {
    return hash.of_word(key);
  }
  static std::uint64_t hash_of_word(const KeyedHash& hash, std::uint64_t word) noexcept {
    return hash.of_word(word);
  }
  static std::uint64_t word_of(Key key, std::uint64_t) noexcept { return key; }
  static bool matches(const MapPages&, std::uint64_t, Key) noexcept { return true; }
  static Entry entry(const MapPages&, std::uint64_t word, std::uint64_t value,
                     std::uint64_t meta) noexcept {
    return Entry(word, value, meta);
  }
  static bool can_be_key(Key) noexcept { return true; }
  static std::uint64_t pages_for(Key, Value) noexcept { return 0; }
  static bool store(Log&, MapPages&, Key, Value value, std::uint64_t& word) noexcept {
    word = value;
    return true;
  }
  static bool replace(Log&, MapPages&, Key, Value value, std::uint64_t& word) noexcept {
    word = value;
    return true;
  }
};

// Bytes as keys and values: the slot has the key's hash and refers to the shard's log. Everybody
// takes the lock, since a reader must not copy from a fragment that is being reused.
struct MapStrings {
  static constexpr bool kInSlot = false;
  using Key = MapBytes;
  using Value = MapBytes;
  using Entry = MapByteEntry;
  using Log = MapEntryLog;

  static std::uint64_t hash_of(const KeyedHash& hash, Key key) noexcept {
    return hash.of_bytes(key.data, key.size, key.kind);
  }
  static std::uint64_t hash_of_word(const KeyedHash&, std::uint64_t word) noexcept { return word; }
  static std::uint64_t word_of(Key, std::uint64_t hash) noexcept { return hash; }
  static bool matches(const MapPages& pages, std::uint64_t word, Key key) noexcept {
    return MapByteEntry(pages, static_cast<std::uint32_t>(word), 0).key_is(key);
  }
  static Entry entry(const MapPages& pages, std::uint64_t, std::uint64_t value,
                     std::uint64_t meta) noexcept {
    return Entry(pages, static_cast<std::uint32_t>(value), meta);
  }
  static bool can_be_key(Key key) noexcept { return key.size <= kMaxMapKeyBytes; }
  static std::uint64_t pages_for(Key key, Value value) noexcept {
    return Log::pages_for(key, value);
  }
  static bool store(Log& log, MapPages& pages, Key key, Value value, std::uint64_t& word) noexcept {
    const std::uint32_t ref = log.append(pages, key, value);
    if (ref != 0) word = ref;
    return ref != 0;
  }
  // The old value stays if there is no room for the new one.
  static bool replace(Log& log, MapPages& pages, Key key, Value value,
                      std::uint64_t& word) noexcept {
    if (log.overwrite(pages, static_cast<std::uint32_t>(word), value)) return true;
    const std::uint64_t old = word;
    if (!store(log, pages, key, value, word)) return false;
    log.release(pages, old);
    return true;
  }
};

}  // namespace millrace
