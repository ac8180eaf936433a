#pragma once

#include <cstdint>
#include <span>

#include "millrace/framing/framing.h"

namespace millrace {

// One stream's framing and how far it got: finds many frames in one call, for a reader on the other
// side of a language boundary. Not thread-safe. Owns no memory but itself, allocates none.
//
// The answer is a table of 32-bit words:
//
//    0  frames found                          4  error detail, low word
//    1  why it stopped, a ScanResult          5  error detail, high word
//    2  offset up to which bytes are consumed 6  parts that the next frame needs, if kPartsFull
//    3  FrameError                            7  0
//    8 + 5i, for each frame:
//      begin, length, end (offsets from the memory's start), index of its first part's offset among
//      the part words, number of parts
//
// It stops with kIncomplete where bytes run out, with kFrame where the table is full, and with
// kPartsFull where there are too few part words: then the caller takes the frames out, makes room
// if none was found, and scans on. Frames found before an error are in the table too.
class StreamScanner {
 public:
  static constexpr std::uint32_t kHeaderWords = 8;
  static constexpr std::uint32_t kFrameWords = 5;

  explicit StreamScanner(const FramingOptions& options) : framing_(options) {}

  const Framing& framing() const { return framing_; }

  // Scans memory[start, end). `start` is where the unfinished frame of the last call starts now.
  // REQUIRES: start <= end; table.size() >= kHeaderWords + kFrameWords.
  void scan(std::uint8_t* memory, std::uint32_t start, std::uint32_t end,
            std::span<std::uint32_t> table, std::span<Part> parts) {
    const auto room = static_cast<std::uint32_t>((table.size() - kHeaderWords) / kFrameWords);
    std::uint32_t frames = 0;
    std::uint32_t parts_used = 0;
    ScanResult result = ScanResult::kFrame;
    FrameError error = FrameError::kNone;
    Frame frame;
    while (frames < room) {
      std::uint32_t needed;
      result = framing_.next(memory + start, end - start, state_, parts.subspan(parts_used), frame,
                             needed, error);
      if (result == ScanResult::kFrame) {
        std::uint32_t* row = table.data() + kHeaderWords + kFrameWords * frames;
        row[0] = start + frame.begin;
        row[1] = frame.length;
        row[2] = start + frame.end;
        row[3] = 2 * parts_used;
        row[4] = frame.part_count;
        parts_used += frame.part_count;
        ++frames;
      } else if (result != ScanResult::kSkipped) {
        break;
      }
      start += frame.end;
    }
    table[0] = frames;
    table[1] = static_cast<std::uint32_t>(result);
    table[2] = start;
    table[3] = static_cast<std::uint32_t>(error);
    table[4] = static_cast<std::uint32_t>(state_.detail);
    table[5] = static_cast<std::uint32_t>(state_.detail >> 32);
    table[6] = result == ScanResult::kPartsFull ? frame.part_count : 0;
    table[7] = 0;
  }

 private:
  const Framing framing_;
  FramingState state_;
};

}  // namespace millrace
