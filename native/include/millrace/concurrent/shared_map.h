#pragma once

#include <sys/random.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <new>
#include <variant>

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

// A map that several threads of the process hold, each having opened or attached it. Found by a
// token, a number and a nonce, never a pointer; its memory goes with the last holder. make(),
// attach() and release() are for any thread.
class SharedMap {
 public:
  using Map = std::variant<ConcurrentWordMap, ConcurrentByteMap>;

  // Null and an error when the memory cannot be had.
  static SharedMap* make(MapKinds kinds, const MapOptions& options, SystemError& error) {
    auto* const shared = new (std::nothrow) SharedMap(kinds);
    if (shared == nullptr) {
      error = {ENOMEM, "mmap"};
      return nullptr;
    }
    error = std::visit([&](auto& map) { return map.open(options); }, shared->map);
    if (error) {
      delete shared;
      return nullptr;
    }
    Registry& registry = Registry::instance();
    const std::lock_guard guard(registry.lock);
    shared->id_ = ++registry.last_id;
    shared->nonce_ = random_nonce();
    registry.maps.emplace(shared->id_, shared);
    return shared;
  }

  // Null: no such map lives.
  static SharedMap* attach(std::uint32_t id, std::uint64_t nonce) {
    Registry& registry = Registry::instance();
    const std::lock_guard guard(registry.lock);
    const auto found = registry.maps.find(id);
    if (found == registry.maps.end() || found->second->nonce_ != nonce) return nullptr;
    ++found->second->holders_;
    return found->second;
  }

  // Once for each make() and attach().
  void release() {
    Registry& registry = Registry::instance();
    {
      const std::lock_guard guard(registry.lock);
      if (--holders_ != 0) return;
      registry.maps.erase(id_);
    }
    delete this;
  }

  std::uint32_t id() const noexcept { return id_; }
  // Below 2^53.
  std::uint64_t nonce() const noexcept { return nonce_; }
  MapKinds kinds() const noexcept { return kinds_; }

  // Words where keys and values both are; else bytes, in which a word is its eight bytes.
  Map map;

  // What a map of these options takes at most.
  static std::size_t bytes(MapKinds kinds, const MapOptions& options) noexcept {
    return kinds.word_keys() && kinds.word_values() ? ConcurrentWordMap::bytes(options)
                                                    : ConcurrentByteMap::bytes(options);
  }

  // Tells this copy of the code from another one in the process, which has a registry of its own.
  static std::uint64_t copy_nonce() { return Registry::instance().nonce; }

 private:
  struct Registry {
    std::mutex lock;
    std::map<std::uint32_t, SharedMap*> maps;
    std::uint32_t last_id = 0;
    std::uint64_t nonce = random_nonce();

    // Never destroyed: threads may look maps up while the process ends.
    static Registry& instance() {
      alignas(Registry) static unsigned char memory[sizeof(Registry)];
      static Registry* const registry = new (memory) Registry();
      return *registry;
    }
  };

  explicit SharedMap(MapKinds kinds) : kinds_(kinds) {
    if (!kinds.word_keys() || !kinds.word_values()) map.emplace<ConcurrentByteMap>();
  }
  ~SharedMap() = default;

  static std::uint64_t random_nonce() {
    std::uint64_t nonce = 0;
    while (::getrandom(&nonce, sizeof nonce, 0) != sizeof nonce) {
    }
    return nonce >> 11;
  }

  MapKinds kinds_;
  std::uint32_t id_ = 0;
  std::uint32_t holders_ = 1;
  std::uint64_t nonce_ = 0;
};

}  // namespace millrace
