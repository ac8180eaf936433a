#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/framing/framing.h"

namespace millrace::test {

// All that a consumer of a framing sees of a stream.
struct Found {
  struct Message {
    std::string payload;
    std::vector<std::string> parts;
    bool echo_is_exact;
    bool operator==(const Message&) const = default;
  };
  std::vector<Message> messages;
  FrameError error = FrameError::kNone;
  std::uint64_t detail = 0;
  std::uint32_t unfinished = 0;     // bytes behind the last message
  std::uint32_t most_buffered = 0;  // bytes of an unfinished frame
  bool kept_contract = true;        // `needed` and `end` stayed within what next() promises
  bool operator==(const Found& other) const {
    return messages == other.messages && error == other.error && detail == other.detail &&
           unfinished == other.unfinished;
  }
};

// Feeds `input` to a framing as a receiver would. `chunk_bytes(left)` says how much comes next, and
// `part_room` how many parts there is room for at first. Each scan sees a block of exactly as many
// bytes as there are, so that AddressSanitizer finds a read beyond.
template <class ChunkBytes>
Found feed(const Framing& framing, std::string_view input, ChunkBytes chunk_bytes,
           std::size_t part_room = 64) {
  Found found;
  const bool exact_block = input.size() <= 4096;
  FramingState state;
  std::vector<std::uint8_t> buffer;
  std::vector<Part> parts(part_room);
  while (!input.empty()) {
    const std::size_t bytes = std::min<std::size_t>(chunk_bytes(input.size()), input.size());
    buffer.insert(buffer.end(), input.begin(), input.begin() + bytes);
    input.remove_prefix(bytes);
    while (!buffer.empty()) {
      if (exact_block) buffer.shrink_to_fit();
      const auto size = static_cast<std::uint32_t>(buffer.size());
      Frame frame;
      std::uint32_t needed = 0;
      FrameError error = FrameError::kNone;
      const ScanResult result =
          framing.next(buffer.data(), size, state, parts, frame, needed, error);
      if (result == ScanResult::kPartsFull) {
        found.kept_contract &= frame.part_count > parts.size();
        found.kept_contract &= frame.part_count <= framing.max_parts();
        parts.resize(frame.part_count);
        continue;
      }
      if (result == ScanResult::kIncomplete) {
        found.kept_contract &= needed > size && needed <= framing.max_frame_bytes();
        found.most_buffered = std::max(found.most_buffered, size);
        break;
      }
      if (result == ScanResult::kError) {
        found.error = error;
        found.detail = state.detail;
        return found;
      }
      found.kept_contract &= frame.end > 0 && frame.end <= size;
      found.kept_contract &= frame.begin + frame.length <= frame.end;
      if (result == ScanResult::kFrame) {
        const char* payload = reinterpret_cast<const char*>(buffer.data()) + frame.begin;
        Found::Message message{{payload, frame.length}, {}, framing.echo_is_exact(frame)};
        for (std::uint32_t i = 0; i < frame.part_count; ++i) {
          found.kept_contract &= parts[i].offset + parts[i].length <= frame.length;
          message.parts.emplace_back(payload + parts[i].offset, parts[i].length);
        }
        found.messages.push_back(std::move(message));
      }
      buffer.erase(buffer.begin(), buffer.begin() + frame.end);
    }
  }
  found.unfinished = static_cast<std::uint32_t>(buffer.size());
  return found;
}

inline Found feed_whole(const Framing& framing, std::string_view input) {
  return feed(framing, input, [](std::size_t left) { return left; });
}

inline Found feed_bytes(const Framing& framing, std::string_view input) {
  return feed(framing, input, [](std::size_t) { return std::size_t{1}; });
}

}  // namespace millrace::test
