// The addon of @millrace/concurrent-map: converts between JavaScript and
// millrace/concurrent/concurrent_map.h. How numbers pass stands in registers.h; strings and arrays
// of bytes are arguments. Nothing throws here: TypeScript reads the status.

#include <node_api.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "environment.h"
#include "millrace/concurrent/shared_map.h"
#include "registers.h"
#include "scan_rows.h"
#include "taken.h"

namespace {

using namespace millrace;
using ValueKind = MapKinds::Value;

MapTtl ttl_of(const Registers& r) {
  if (r.ttl == static_cast<std::uint32_t>(Ttl::kKeep)) return MapTtl::keep();
  if (r.ttl == static_cast<std::uint32_t>(Ttl::kNever)) return MapTtl::never();
  return MapTtl::after(static_cast<std::uint64_t>(r.ttl_ms));
}

bool condition_holds(const Registers& r, bool held) {
  if (r.condition == static_cast<std::uint32_t>(Condition::kAlways)) return true;
  return held == (r.condition == static_cast<std::uint32_t>(Condition::kIfPresent));
}

Status status_of(MapResult result) {
  switch (result) {
    case MapResult::kChanged:
      return Status::kDone;
    case MapResult::kFull:
      return Status::kFull;
    case MapResult::kTooLarge:
      return Status::kTooLarge;
    case MapResult::kUnchanged:
      break;
  }
  return Status::kUnchanged;
}

// Calls body(map, key) with the map that the call is about, whichever it is.
template <class Body>
napi_value with_key(Call& call, Body body) {
  if (!call.open()) return nullptr;
  if (auto* const words = call.words(); words != nullptr) {
    body(*words, call.registers().key);
  } else {
    body(call.bytes(), call.key());
  }
  return nullptr;
}

// --- One entry
// -------------------------------------------------------------------------------------

napi_value get(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.open()) return nullptr;
  Registers& r = call.registers();
  if (auto* const words = call.words(); words != nullptr) {
    call.answer(words->read(r.key, [&r](const auto& entry) { r.value = entry.value(); }));
    return nullptr;
  }
  const MapBytes key = call.key();
  Taken taken(call, 1);
  bool found;
  do {
    found = call.bytes().read(key, [&taken](const auto& entry) { taken.take(entry); });
  } while (taken.again());
  return taken.answer(found);
}

napi_value has(napi_env env, napi_callback_info info) {
  Call call(env, info);
  return with_key(call, [&](auto& map, auto key) { call.answer(map.has(key)); });
}

napi_value set(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.open()) return nullptr;
  const Registers& r = call.registers();
  const MapTtl ttl = ttl_of(r);
  const auto put = [&](auto& map, auto key, auto value) {
    using Change = typename std::decay_t<decltype(map)>::Change;
    call.answer(status_of(map.change(key, [&](const auto* held) {
      return condition_holds(r, held != nullptr) ? Change::put(value, ttl) : Change::leave();
    })));
  };
  if (auto* const words = call.words(); words != nullptr) {
    put(*words, r.key, r.value);
  } else {
    put(call.bytes(), call.key(), call.value(1));
    call.at().value.shrink();
  }
  return nullptr;
}

// Answers the old value as get() does; kNeedsRoom: nothing has been set.
napi_value exchange(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.open()) return nullptr;
  Registers& r = call.registers();
  const MapTtl ttl = ttl_of(r);
  bool found = false;
  MapResult result;
  if (auto* const words = call.words(); words != nullptr) {
    std::uint64_t old = 0;
    result = words->change(r.key, [&](const auto* held) {
      found = held != nullptr;
      if (found) old = held->value();
      return ConcurrentWordMap::Change::put(r.value, ttl);
    });
    r.value = old;
    call.answer(result == MapResult::kChanged ? (found ? Status::kDone : Status::kUnchanged)
                                              : status_of(result));
    return nullptr;
  }
  const MapBytes key = call.key();
  // The old value comes out through the register that the new one came in by.
  const std::uint64_t word = r.value;
  MapBytes value = call.value(1);
  if (call.shared().kinds().word_values()) value.data = reinterpret_cast<const std::byte*>(&word);
  Taken taken(call, 2);
  do {
    result = call.bytes().change(key, [&](const auto* held) {
      using Change = ConcurrentByteMap::Change;
      found = held != nullptr;
      if (found && !taken.take(*held)) return Change::leave();
      return Change::put(value, ttl);
    });
  } while (taken.again());
  call.at().value.shrink();
  const bool failed = result == MapResult::kFull || result == MapResult::kTooLarge;
  const napi_value old = taken.answer(found);
  if (failed) call.answer(status_of(result));
  return failed ? nullptr : old;
}

napi_value compare_and_set(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.open()) return nullptr;
  const Registers& r = call.registers();
  const MapTtl ttl = ttl_of(r);
  if (auto* const words = call.words(); words != nullptr) {
    const auto expected = r.flag != 0 ? std::optional(r.expected) : std::nullopt;
    call.answer(status_of(words->compare_and_set(r.key, expected, r.value, ttl)));
    return nullptr;
  }
  const MapBytes key = call.key();
  const auto expected = r.flag != 0 ? std::optional(call.expected(2)) : std::nullopt;
  call.answer(status_of(call.bytes().compare_and_set(key, expected, call.value(1), ttl)));
  call.at().value.shrink();
  call.at().expected.shrink();
  return nullptr;
}

napi_value remove(napi_env env, napi_callback_info info) {
  Call call(env, info);
  return with_key(call, [&](auto& map, auto key) { call.answer(status_of(map.erase(key))); });
}

napi_value remove_if(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.open()) return nullptr;
  const Registers& r = call.registers();
  if (auto* const words = call.words(); words != nullptr) {
    call.answer(status_of(words->erase_if(r.key, r.expected)));
    return nullptr;
  }
  call.answer(status_of(call.bytes().erase_if(call.key(), call.expected(1))));
  call.at().expected.shrink();
  return nullptr;
}

// Adds the value in its register, and answers the sum there.
napi_value add(napi_env env, napi_callback_info info) {
  Call call(env, info);
  return with_key(call, [&](auto& map, auto key) {
    using Map = std::decay_t<decltype(map)>;
    constexpr bool kInSlot = std::is_same_v<Map, ConcurrentWordMap>;
    Registers& r = call.registers();
    const bool real = call.shared().kinds().value == ValueKind::kF64;
    bool overflow = false;
    std::uint64_t sum = 0;
    const MapResult result = map.change(key, [&](const auto* held) {
      std::uint64_t old = 0;
      if constexpr (kInSlot) {
        if (held != nullptr) old = held->value();
      } else {
        if (held != nullptr) held->copy_value(reinterpret_cast<std::byte*>(&old));
      }
      if (real) {
        sum = std::bit_cast<std::uint64_t>(std::bit_cast<double>(old) +
                                           std::bit_cast<double>(r.value));
      } else {
        std::int64_t total;
        overflow = __builtin_add_overflow(static_cast<std::int64_t>(old),
                                          static_cast<std::int64_t>(r.value), &total);
        sum = static_cast<std::uint64_t>(total);
      }
      if (overflow) return Map::Change::leave();
      if constexpr (kInSlot) {
        return Map::Change::put(sum, MapTtl::keep());
      } else {
        return Map::Change::put({reinterpret_cast<const std::byte*>(&sum), sizeof sum, false},
                                MapTtl::keep());
      }
    });
    r.value = sum;
    call.answer(overflow ? Status::kOverflow : status_of(result));
  });
}

// Milliseconds, Infinity for an entry that never expires.
napi_value ttl(napi_env env, napi_callback_info info) {
  Call call(env, info);
  return with_key(call, [&](auto& map, auto key) {
    const std::optional<std::uint64_t> left = map.ttl_ms(key);
    if (left) {
      call.registers().number = *left == map.kNoExpiry ? std::numeric_limits<double>::infinity()
                                                       : static_cast<double>(*left);
    }
    call.answer(left.has_value());
  });
}

napi_value expire(napi_env env, napi_callback_info info) {
  Call call(env, info);
  return with_key(call, [&](auto& map, auto key) {
    call.answer(status_of(map.expire(key, ttl_of(call.registers()))));
  });
}

napi_value persist(napi_env env, napi_callback_info info) {
  Call call(env, info);
  return with_key(call, [&](auto& map, auto key) { call.answer(status_of(map.persist(key))); });
}

// --- Many entries
// ----------------------------------------------------------------------------------

// From the cursor in `number`, and answers the next one there: an array of keys, or of keys and
// values by turns.
napi_value scan(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.open()) return nullptr;
  Registers& r = call.registers();
  ScanRows rows(call, r.flag != 0);
  const auto cursor = static_cast<std::uint64_t>(r.number);
  const auto take = [&rows](const auto& entry) { return rows.take(entry); };
  std::uint64_t next;
  do {
    next =
        std::visit([&](auto& map) { return map.scan(cursor, r.count, take); }, call.shared().map);
  } while (rows.again());
  const napi_value array = rows.array();
  call.at().answer.shrink();
  r.number = static_cast<double>(next);
  call.answer(true);
  return array;
}

// (keys: BigUint64Array, out: Float64Array | BigInt64Array): how many were found, in `number`.
napi_value get_words(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.open()) return nullptr;
  void* keys = nullptr;
  void* out = nullptr;
  std::size_t length = 0;
  std::size_t room = 0;
  napi_get_typedarray_info(env, call.argument(0), nullptr, &length, &keys, nullptr, nullptr);
  napi_get_typedarray_info(env, call.argument(1), nullptr, &room, &out, nullptr, nullptr);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::uint64_t missing =
      call.shared().kinds().value == ValueKind::kF64 ? std::bit_cast<std::uint64_t>(nan) : 0;
  auto* const values = static_cast<std::uint64_t*>(out);
  std::uint64_t found = 0;
  call.words()->read_many({static_cast<const std::uint64_t*>(keys), std::min(length, room)},
                          [&](std::size_t i, const std::uint64_t* value) {
                            values[i] = value == nullptr ? missing : *value;
                            found += value != nullptr;
                          });
  call.registers().number = static_cast<double>(found);
  call.answer(true);
  return nullptr;
}

napi_value size(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.open()) return nullptr;
  call.registers().number =
      static_cast<double>(std::visit([](auto& map) { return map.size(); }, call.shared().map));
  call.answer(true);
  return nullptr;
}

napi_value clear(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.open()) return nullptr;
  std::visit([](auto& map) { map.clear(); }, call.shared().map);
  call.answer(true);
  return nullptr;
}

// --- The map itself
// --------------------------------------------------------------------------------

napi_value number_of(napi_env env, double number) {
  napi_value value;
  napi_create_double(env, number, &value);
  return value;
}

void set_number(napi_env env, napi_value object, const char* name, double number) {
  napi_set_named_property(env, object, name, number_of(env, number));
}

napi_value stats(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.open()) return nullptr;
  const MapStats stats =
      std::visit([](const auto& map) { return map.stats(); }, std::as_const(call.shared().map));
  napi_value answer;
  napi_create_object(env, &answer);
  set_number(env, answer, "entries", static_cast<double>(stats.entries));
  set_number(env, answer, "usedBytes", static_cast<double>(stats.used_bytes));
  set_number(env, answer, "maxBytes", static_cast<double>(stats.max_bytes));
  set_number(env, answer, "expired", static_cast<double>(stats.expired));
  set_number(env, answer, "evicted", static_cast<double>(stats.evicted));
  call.answer(true);
  return answer;
}

// (key kind, value kind, most bytes, most entries or 0, whether to evict)
MapKinds kinds_of(const Call& call) {
  return {static_cast<MapKinds::Key>(call.number(0)), static_cast<ValueKind>(call.number(1))};
}
MapOptions options_of(const Call& call) {
  MapOptions options;
  options.max_bytes = static_cast<std::size_t>(call.number(2));
  options.max_entries = static_cast<std::uint64_t>(call.number(3));
  options.evict = call.number(4) != 0;
  return options;
}

napi_value hold(const Call& call, std::shared_ptr<SharedMap> map) {
  const MapKinds kinds = map->kinds();
  call.at().maps.push_back(std::move(map));
  call.registers().count = static_cast<std::uint32_t>(kinds.key);
  call.registers().bytes = static_cast<std::uint32_t>(kinds.value);
  return number_of(call.env(), static_cast<double>(call.at().maps.size() - 1));
}

// A handle, or an error's negative number: of mmap().
napi_value open(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  SystemError error;
  auto map = SharedMap::open(kinds_of(call), options_of(call), error);
  return map == nullptr ? number_of(env, -error.code) : hold(call, std::move(map));
}

napi_value bytes(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const std::size_t bytes = SharedMap::bytes(kinds_of(call), options_of(call));
  return number_of(env, static_cast<double>(bytes));
}

// (id, nonce): a handle, or -1: no such map lives. Its kinds are in `count` and `bytes`.
napi_value attach(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto map = SharedMap::find(
      {static_cast<std::uint32_t>(call.number(0)), static_cast<std::uint64_t>(call.number(1))});
  return map == nullptr ? number_of(env, -1) : hold(call, std::move(map));
}

// (handle). Handles are not used again: a late finalizer must not close another map.
napi_value close(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const auto handle = static_cast<std::size_t>(call.number(0));
  if (handle < call.at().maps.size()) call.at().maps[handle].reset();
  return nullptr;
}

napi_value share(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.open()) return nullptr;
  napi_value answer;
  napi_create_object(env, &answer);
  set_number(env, answer, "id", call.shared().token().id);
  set_number(env, answer, "nonce", static_cast<double>(call.shared().token().nonce));
  call.answer(true);
  return answer;
}

// (registers: Uint8Array, pool: Uint8Array): what this thread shares with the addon from now on.
napi_value use(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Environment& at = call.at();
  if (at.registers_ref != nullptr) napi_delete_reference(env, at.registers_ref);
  if (at.pool_ref != nullptr) napi_delete_reference(env, at.pool_ref);
  at.registers = reinterpret_cast<Registers*>(Call::memory(env, call.argument(0)).data());
  at.pool = Call::memory(env, call.argument(1));
  napi_create_reference(env, call.argument(0), 1, &at.registers_ref);
  napi_create_reference(env, call.argument(1), 1, &at.pool_ref);
  return nullptr;
}

// --- What the addon exports
// ------------------------------------------------------------------------

// By name: where each register is, in bytes.
napi_value register_offsets(napi_env env) {
  napi_value offsets;
  napi_create_object(env, &offsets);
  set_number(env, offsets, "map", offsetof(Registers, map));
  set_number(env, offsets, "status", offsetof(Registers, status));
  set_number(env, offsets, "condition", offsetof(Registers, condition));
  set_number(env, offsets, "ttl", offsetof(Registers, ttl));
  set_number(env, offsets, "ttlMs", offsetof(Registers, ttl_ms));
  set_number(env, offsets, "key", offsetof(Registers, key));
  set_number(env, offsets, "value", offsetof(Registers, value));
  set_number(env, offsets, "expected", offsetof(Registers, expected));
  set_number(env, offsets, "number", offsetof(Registers, number));
  set_number(env, offsets, "count", offsetof(Registers, count));
  set_number(env, offsets, "bytes", offsetof(Registers, bytes));
  set_number(env, offsets, "poolOffset", offsetof(Registers, pool_offset));
  set_number(env, offsets, "flag", offsetof(Registers, flag));
  set_number(env, offsets, "end", sizeof(Registers));
  return offsets;
}

napi_value init(napi_env env, napi_value exports) {
  auto* const at = new Environment;
  napi_set_instance_data(
      env, at, [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); },
      nullptr);
  const std::pair<const char*, napi_callback> functions[] = {
      {"get", get},
      {"has", has},
      {"set", set},
      {"exchange", exchange},
      {"compareAndSet", compare_and_set},
      {"remove", remove},
      {"removeIf", remove_if},
      {"add", add},
      {"ttl", ttl},
      {"expire", expire},
      {"persist", persist},
      {"scan", scan},
      {"getWords", get_words},
      {"size", size},
      {"clear", clear},
      {"stats", stats},
      {"open", open},
      {"bytes", bytes},
      {"attach", attach},
      {"close", close},
      {"share", share},
      {"use", use},
  };
  for (const auto& [name, function] : functions) {
    napi_value value;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, at, &value);
    napi_set_named_property(env, exports, name, value);
  }
  napi_set_named_property(env, exports, "registers", register_offsets(env));
  set_number(env, exports, "copy", static_cast<double>(SharedMap::copy_nonce()));
  set_number(env, exports, "minBytes", MapOptions::kMinBytes);
  set_number(env, exports, "maxBytes", MapOptions::kMaxBytes);
  set_number(env, exports, "maxKeyBytes", kMaxMapKeyBytes);
  set_number(env, exports, "maxTtlMs", static_cast<double>(MapTtl::kMaxMs));
  set_number(env, exports, "maxRows", ScanRows::kMost);
  set_number(env, exports, "cursorBits", ConcurrentByteMap::kCursorBits);
  return exports;
}

}  // namespace

NAPI_MODULE(NODE_GYP_MODULE_NAME, init)
