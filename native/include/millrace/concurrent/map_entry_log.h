#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "millrace/concurrent/map_fragment.h"
#include "millrace/concurrent/map_pages.h"

namespace millrace {

// Where one shard keeps its entries of bytes: a log of pages. An entry goes behind the last one; if
// it does not fit into what is left of the page, it goes on in the next. What is freed inside a
// page comes back by cleaning: what lives in the sparsest page moves to the end of the log. So no
// mix of sizes can use the memory up, as it can with size classes. The idea is that of
// log-structured memory (Rumble, Kejriwal, Ousterhout, 2014).
//
// Synchronised by its shard. Owns its pages. An append costs the copy, a release a few
// instructions, cleaning a page up to 4 KiB of copying and a look-up for each entry in it.
class MapEntryLog {
 public:
  // Pages in which less than this lives are worth cleaning: what moves fits into one fresh page,
  // and leaves more room there than closing the open page wastes (unless keys are very long).
  static constexpr std::uint32_t kCleanBelow = 3072;

  // At most so many pages does append() ask for at once.
  static std::uint64_t pages_for(MapBytes key, MapBytes value) noexcept {
    return (std::uint64_t{key.size} + value.size) / MapFragment::kMostData + 2;
  }

  // The new entry's reference, or 0 if there are not enough pages.
  // REQUIRES: key.size <= kMaxMapKeyBytes, value.size <= kMaxMapValueBytes.
  std::uint32_t append(MapPages& pages, MapBytes key, MapBytes value) noexcept {
    const std::uint64_t total = std::uint64_t{key.size} + value.size;
    if (MapFragment::bytes_for(total) <= room()) return write(pages, key, value, room(), 0);
    const bool cut = MapFragment::bytes_for(total) > kUncutBytes &&
                     room() >= MapFragment::bytes_for(key.size) + kPieceBytes;
    const std::uint64_t rest = cut ? total - (room() - MapFragment::kHeaderBytes) : total;
    const std::uint64_t more = (rest + MapFragment::kMostData - 1) / MapFragment::kMostData;
    const std::uint32_t chain =
        pages.acquire(static_cast<std::uint32_t>(std::max<std::uint64_t>(more, 1)));
    if (chain == 0) return 0;
    return write(pages, key, value, cut ? room() : 0, chain);
  }

  // Gives the entry another value of the same footprint, where it stands. False: it has another.
  bool overwrite(MapPages& pages, std::uint32_t entry, MapBytes value) noexcept {
    MapFragment& head = MapFragment::at(pages, entry);
    const std::uint32_t key_size = MapFragment::size_of(head.first);
    if (head.next != 0) return false;
    if (MapFragment::bytes_for(std::uint64_t{key_size} + value.size) != head.bytes) return false;
    if (value.size != 0) std::memcpy(head.data() + key_size, value.data, value.size);
    head.second = MapFragment::pack(value);
    return true;
  }

  void release(MapPages& pages, std::uint64_t entry) noexcept {
    for (auto ref = static_cast<std::uint32_t>(entry); ref != 0;) {
      MapFragment& at = MapFragment::at(pages, ref);
      const std::uint32_t next = at.next;
      kill(pages, ref, at);
      ref = next;
    }
  }

  // Any thread, a hint: how much lives in the page that cleaning would take, in eighths of a page.
  std::uint32_t sparsest() const noexcept { return sparsest_.load(std::memory_order_relaxed); }
  bool cleanable() const noexcept { return sparsest() < kCleanBelow / kBucketBytes; }

  // Moves what lives in the sparsest page to the end of the log, which frees the page. Calls
  // moved(old reference, new reference) for each entry whose reference changes. False: no page is
  // worth it. REQUIRES: nobody else is cleaning in this map (MapPages::acquire_reserved).
  template <class Moved>
  bool clean(MapPages& pages, Moved moved) {
    if (!cleanable()) return false;
    const std::uint32_t page = heads_[sparsest()];
    // The page is gone with the last byte that lives in it.
    std::uint32_t left = pages.note(page).live;
    for (std::uint32_t offset = 0; left != 0;) {
      const std::uint32_t ref = page * kMapPageWords + offset / 8;
      const MapFragment& at = MapFragment::at(pages, ref);
      const std::uint32_t bytes = at.bytes;
      offset += bytes;
      if (at.state == MapFragment::kDead) continue;
      if (!move(pages, ref, moved)) return false;
      left -= bytes;
    }
    return true;
  }

  void clear(MapPages& pages) noexcept {
    for (std::uint32_t& head : heads_) {
      while (head != 0) {
        const std::uint32_t page = head;
        head = pages.note(page).next;
        pages.release(page);
      }
    }
    if (open_ != 0) pages.release(open_);
    open_ = 0;
    note_sparsest();
  }

 private:
  // Entries and pieces up to here are not cut at the end of a page.
  static constexpr std::uint32_t kUncutBytes = 512;
  // No move cuts off less than this, so entries do not crumble however often they move.
  static constexpr std::uint32_t kPieceBytes = 256;

  // Closed pages by how much lives in them.
  static constexpr std::uint32_t kBuckets = 8;
  static constexpr std::uint32_t kBucketBytes = kMapPageBytes / kBuckets;
  static_assert(kCleanBelow % kBucketBytes == 0);

  static std::uint32_t bucket_of(std::uint32_t live) noexcept {
    return std::min(live / kBucketBytes, kBuckets - 1);
  }

  std::uint32_t room() const noexcept { return open_ == 0 ? 0 : kMapPageBytes - fill_; }

  // Starts a fresh page. What is left of the old one comes back when it is cleaned.
  void open_page(MapPages& pages, std::uint32_t page) noexcept {
    if (open_ != 0) link(pages, open_);
    open_ = page;
    fill_ = 0;
    pages.note(page).live = 0;
  }

  // REQUIRES: bytes <= room().
  std::uint32_t place(MapPages& pages, std::uint64_t bytes, std::uint16_t state) noexcept {
    const std::uint32_t ref = open_ * kMapPageWords + fill_ / 8;
    MapFragment& at = MapFragment::at(pages, ref);
    at.next = 0;
    at.bytes = static_cast<std::uint16_t>(bytes);
    at.state = state;
    fill_ += at.bytes;
    pages.note(open_).live += at.bytes;
    return ref;
  }

  // `room_left`: bytes of the open page to begin with, or 0. `chain`: pages for the rest.
  std::uint32_t write(MapPages& pages, MapBytes key, MapBytes value, std::uint32_t room_left,
                      std::uint32_t chain) noexcept {
    std::uint32_t head = 0;
    std::uint32_t last = 0;
    std::uint32_t written = 0;
    do {
      if (room_left == 0) {
        const std::uint32_t page = chain;
        chain = pages.note(page).next;
        open_page(pages, page);
        room_left = kMapPageBytes;
      }
      const std::uint32_t before = head == 0 ? key.size : 0;
      const std::uint32_t part =
          std::min(value.size - written, room_left - MapFragment::kHeaderBytes - before);
      const std::uint32_t ref = place(pages, MapFragment::bytes_for(before + part),
                                      head == 0 ? MapFragment::kHead : MapFragment::kTail);
      MapFragment& at = MapFragment::at(pages, ref);
      if (head == 0) {
        head = ref;
        at.first = MapFragment::pack(key);
        at.second = MapFragment::pack(value);
        if (key.size != 0) std::memcpy(at.data(), key.data, key.size);
      } else {
        at.first = last;
        MapFragment::at(pages, last).next = ref;
      }
      if (part != 0) std::memcpy(at.data() + before, value.data + written, part);
      written += part;
      last = ref;
      room_left = 0;
    } while (written < value.size);
    return head;
  }

  // Moves one fragment, cut in two if need be. False: no page, and nothing has changed.
  template <class Moved>
  bool move(MapPages& pages, std::uint32_t ref, Moved moved) {
    MapFragment& from = MapFragment::at(pages, ref);
    const bool is_head = from.state == MapFragment::kHead;
    std::uint32_t first_bytes = from.bytes;
    std::uint32_t page = 0;
    if (from.bytes > room()) {
      page = pages.acquire_reserved();
      if (page == 0) return false;
      const std::uint64_t least =
          MapFragment::bytes_for(is_head ? MapFragment::size_of(from.first) : 0) + kPieceBytes;
      if (from.bytes > kUncutBytes && room() >= least && from.bytes >= least + kPieceBytes) {
        first_bytes = std::min(room(), from.bytes - kPieceBytes);
      } else {
        open_page(pages, page);
      }
    }
    const std::uint32_t to = place(pages, first_bytes, from.state);
    MapFragment& piece = MapFragment::at(pages, to);
    piece.first = from.first;
    piece.second = from.second;
    std::memcpy(piece.data(), from.data(), piece.data_bytes());
    std::uint32_t last = to;
    if (first_bytes < from.bytes) {
      open_page(pages, page);
      const std::uint32_t rest = from.bytes - first_bytes;
      last = place(pages, MapFragment::bytes_for(rest), MapFragment::kTail);
      MapFragment& tail = MapFragment::at(pages, last);
      tail.first = to;
      tail.second = 0;
      piece.next = last;
      std::memcpy(tail.data(), from.data() + piece.data_bytes(), rest);
    }
    MapFragment::at(pages, last).next = from.next;
    if (from.next != 0) MapFragment::at(pages, from.next).first = last;
    if (is_head) {
      moved(ref, to);
    } else {
      MapFragment::at(pages, from.first).next = to;
    }
    kill(pages, ref, from);
    return true;
  }

  void kill(MapPages& pages, std::uint32_t ref, MapFragment& at) noexcept {
    at.state = MapFragment::kDead;
    const std::uint32_t page = ref / kMapPageWords;
    MapPageNote& note = pages.note(page);
    const std::uint32_t before = bucket_of(note.live);
    note.live -= at.bytes;
    if (page == open_) {
      if (note.live != 0) return;
      open_ = 0;
    } else {
      if (note.live != 0 && bucket_of(note.live) == before) return;
      unlink(pages, page, before);
      if (note.live != 0) return link(pages, page);
    }
    pages.release(page);
  }

  void link(MapPages& pages, std::uint32_t page) noexcept {
    std::uint32_t& head = heads_[bucket_of(pages.note(page).live)];
    pages.note(page).previous = 0;
    pages.note(page).next = head;
    if (head != 0) pages.note(head).previous = page;
    head = page;
    note_sparsest();
  }

  void unlink(MapPages& pages, std::uint32_t page, std::uint32_t bucket) noexcept {
    const MapPageNote& note = pages.note(page);
    if (note.next != 0) pages.note(note.next).previous = note.previous;
    if (note.previous != 0) {
      pages.note(note.previous).next = note.next;
    } else {
      heads_[bucket] = note.next;
    }
    note_sparsest();
  }

  void note_sparsest() noexcept {
    std::uint32_t bucket = 0;
    while (bucket < kBuckets && heads_[bucket] == 0) ++bucket;
    sparsest_.store(bucket, std::memory_order_relaxed);
  }

  // The page that is being filled, and how far; 0: none.
  std::uint32_t open_ = 0;
  std::uint32_t fill_ = 0;
  std::uint32_t heads_[kBuckets] = {};
  std::atomic<std::uint32_t> sparsest_{kBuckets};
};

}  // namespace millrace
