#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "millrace/concurrent/map_pages.h"

namespace millrace {

// Bytes as keys and values are given to a map. `kind` is kept and compared with them; what it says
// is the caller's affair (how a string is encoded, say). Does not own the bytes.
struct MapBytes {
  const std::byte* data = nullptr;
  std::uint32_t size = 0;
  bool kind = false;
};

inline constexpr std::uint32_t kMaxMapKeyBytes = 4000;
inline constexpr std::uint32_t kMaxMapValueBytes = 0x7fffffff;

// An entry of bytes lies in one or more fragments of the log's pages, linked both ways: readers
// follow them, and cleaning moves each of them alone. The key is whole in the first.
//
//   byte  0  next u32                      reference of the next fragment; 0: the last
//         4  bytes u16                     of this fragment with its header, a multiple of 8
//         6  state u16                     kDead, kHead, kTail
//         8  head: key size u31, kind u1   tail: previous u32, a reference
//        12  head: value size u31, kind u1 tail: unused
//        16  head: key, value or its first part; tail: what follows of the value
//
// A reference is a page number times 512 plus the offset in the page in units of 8 bytes.
struct MapFragment {
  static constexpr std::uint32_t kHeaderBytes = 16;
  static constexpr std::uint32_t kMostData = kMapPageBytes - kHeaderBytes;
  static constexpr std::uint16_t kDead = 0;
  static constexpr std::uint16_t kHead = 1;
  static constexpr std::uint16_t kTail = 2;

  std::uint32_t next;
  std::uint16_t bytes;
  std::uint16_t state;
  std::uint32_t first;
  std::uint32_t second;

  static std::uint64_t bytes_for(std::uint64_t data) noexcept {
    return kHeaderBytes + ((data + 7) & ~std::uint64_t{7});
  }
  static MapFragment& at(const MapPages& pages, std::uint32_t ref) noexcept {
    return *reinterpret_cast<MapFragment*>(pages.bytes(ref / kMapPageWords) +
                                           ref % kMapPageWords * 8);
  }
  static std::uint32_t pack(MapBytes bytes) noexcept {
    return bytes.size | (bytes.kind ? std::uint32_t{1} << 31 : 0);
  }
  static std::uint32_t size_of(std::uint32_t packed) noexcept { return packed & 0x7fffffff; }
  static bool kind_of(std::uint32_t packed) noexcept { return packed >> 31 != 0; }

  std::byte* data() noexcept { return reinterpret_cast<std::byte*>(this) + kHeaderBytes; }
  std::uint32_t data_bytes() const noexcept { return bytes - kHeaderBytes; }
};
static_assert(sizeof(MapFragment) == MapFragment::kHeaderBytes);
static_assert(kMaxMapKeyBytes + MapFragment::kHeaderBytes <= kMapPageBytes);

// An entry of a map of bytes, as it is seen under its shard's lock.
class MapByteEntry {
 public:
  MapByteEntry(const MapPages& pages, std::uint32_t ref, std::uint64_t meta) noexcept
      : pages_(&pages), ref_(ref), meta_(meta) {}

  MapBytes key() const noexcept {
    MapFragment& head = MapFragment::at(*pages_, ref_);
    return {head.data(), MapFragment::size_of(head.first), MapFragment::kind_of(head.first)};
  }
  bool key_is(MapBytes key) const noexcept {
    MapFragment& head = MapFragment::at(*pages_, ref_);
    return head.first == MapFragment::pack(key) &&
           (key.size == 0 || std::memcmp(head.data(), key.data, key.size) == 0);
  }

  std::uint32_t value_bytes() const noexcept {
    return MapFragment::size_of(MapFragment::at(*pages_, ref_).second);
  }
  bool value_kind() const noexcept {
    return MapFragment::kind_of(MapFragment::at(*pages_, ref_).second);
  }
  // REQUIRES: room for value_bytes().
  void copy_value(std::byte* out) const noexcept {
    each_part([&out](const std::byte* part, std::uint32_t size) {
      std::memcpy(out, part, size);
      out += size;
      return true;
    });
  }
  bool value_is(MapBytes value) const noexcept {
    if (MapFragment::at(*pages_, ref_).second != MapFragment::pack(value)) return false;
    const std::byte* expected = value.data;
    return each_part([&expected](const std::byte* part, std::uint32_t size) {
      const bool same = std::memcmp(part, expected, size) == 0;
      expected += size;
      return same;
    });
  }

  std::uint64_t meta() const noexcept { return meta_; }

 private:
  // Until visit() answers false.
  template <class Visit>
  bool each_part(Visit visit) const noexcept {
    MapFragment* at = &MapFragment::at(*pages_, ref_);
    std::uint32_t left = MapFragment::size_of(at->second);
    std::uint32_t skip = MapFragment::size_of(at->first);
    while (left != 0) {
      const std::uint32_t size = std::min(left, at->data_bytes() - skip);
      if (size != 0 && !visit(at->data() + skip, size)) return false;
      left -= size;
      skip = 0;
      if (left != 0) at = &MapFragment::at(*pages_, at->next);
    }
    return true;
  }

  const MapPages* pages_;
  std::uint32_t ref_;
  std::uint64_t meta_;
};

}  // namespace millrace
