#pragma once

#include <node_api.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "environment.h"
#include "millrace/concurrent/map_fragment.h"
#include "registers.h"

inline napi_value string_of(napi_env env, millrace::MapBytes text) {
  napi_value string = nullptr;
  if (text.kind) {
    napi_create_string_utf16(env, reinterpret_cast<const char16_t*>(text.data), text.size / 2,
                             &string);
  } else {
    napi_create_string_latin1(env, reinterpret_cast<const char*>(text.data), text.size, &string);
  }
  return string;
}

// Takes a value out of a map of bytes in two steps: take() copies, under the shard's lock; answer()
// makes what JavaScript gets, after it, because no JavaScript may run under a lock (and making a
// string may collect garbage). A value that does not fit is for a second try.
class Taken {
 public:
  // Bytes go to the Uint8Array that is argument `target`, from the offset in `count` on, if it was
  // given, else into the pool.
  Taken(const Call& call, std::size_t target) : call_(call) {
    const millrace::MapKinds kinds = call.shared().kinds();
    if (kinds.word_values()) {
      room_ = {reinterpret_cast<std::byte*>(&call.registers().value), sizeof(std::uint64_t)};
    } else if (kinds.value != millrace::MapKinds::Value::kBytes) {
      text_ = true;
      room_ = call.at().answer.room(0);
    } else if (call.has(target)) {
      room_ = Call::memory(call.env(), call.argument(target));
      room_ = room_.subspan(std::min<std::size_t>(call.registers().count, room_.size()));
    } else {
      room_ = call.at().pool.subspan(call.registers().pool_offset);
    }
  }

  // False: it does not fit, and nothing was copied.
  bool take(const millrace::MapByteEntry& entry) {
    bytes_ = entry.value_bytes();
    kind_ = entry.value_kind();
    fits_ = bytes_ <= room_.size();
    if (fits_) entry.copy_value(room_.data());
    return fits_;
  }

  // Whether to try once more: room for text is made on this side.
  bool again() {
    if (fits_ || !text_) return false;
    room_ = call_.at().answer.room(bytes_);
    fits_ = true;
    return true;
  }

  // The text that was taken; undefined where values are bytes or numbers, or there was none.
  napi_value answer(bool found) const {
    call_.registers().bytes = bytes_;
    if (!fits_) {
      call_.answer(Status::kNeedsRoom);
      return nullptr;
    }
    call_.answer(found);
    if (!text_) return nullptr;
    const napi_value text = found ? string_of(call_.env(), {room_.data(), bytes_, kind_}) : nullptr;
    call_.at().answer.shrink();
    return text;
  }

 private:
  const Call& call_;
  std::span<std::byte> room_;
  std::uint32_t bytes_ = 0;
  bool text_ = false;
  bool kind_ = false;
  bool fits_ = true;
};
