// What a framing finds must not depend on where the chunks of a stream are cut.
#include "framing_splits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "seed.h"

namespace millrace {
namespace {

using test::Found;

struct Sample {
  std::string name;
  FramingOptions options;
  std::string input;                  // well-formed
  std::vector<std::string> messages;  // payloads; for kResp the arguments, each followed by '|'
};

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(engine_() % limit); }
  std::string bytes(std::uint32_t most, std::string_view alphabet = {}) {
    std::string result(below(most + 1), '\0');
    for (char& c : result) {
      c = alphabet.empty() ? static_cast<char>(engine_()) : alphabet[below(alphabet.size())];
    }
    return result;
  }

 private:
  std::mt19937_64 engine_;
};

FramingOptions options_of(FramingKind kind) {
  FramingOptions options;
  options.kind = kind;
  options.max_bytes = 4096;
  return options;
}

Sample lines(Random& random) {
  Sample sample{"lines", options_of(FramingKind::kLines), "", {}};
  for (int i = 0; i < 12; ++i) {
    std::string line = random.bytes(20, "ab\r ");
    while (!line.empty() && line.back() == '\r') line.pop_back();
    sample.messages.push_back(line);
    sample.input += line + (random.below(2) == 0 ? "\n" : "\r\n");
  }
  return sample;
}

Sample delimited(Random& random) {
  Sample sample{"delimiter", options_of(FramingKind::kDelimiter), "", {}};
  const std::string delimiter = "aab";
  std::memcpy(sample.options.delimiter, delimiter.data(), delimiter.size());
  sample.options.delimiter_bytes = 3;
  for (int i = 0; i < 12; ++i) {
    const std::string stream = random.bytes(20, "abc") + delimiter;
    const std::string payload = stream.substr(0, stream.find(delimiter));
    sample.messages.push_back(payload);
    sample.input += payload + delimiter;
  }
  return sample;
}

Sample fixed(Random& random) {
  Sample sample{"fixed", options_of(FramingKind::kFixed), random.bytes(100), {}};
  sample.options.fixed_bytes = 1 + random.below(9);
  const std::uint32_t bytes = sample.options.fixed_bytes;
  for (std::size_t at = 0; at + bytes <= sample.input.size(); at += bytes) {
    sample.messages.push_back(sample.input.substr(at, bytes));
  }
  return sample;
}

Sample length_prefixed(Random& random) {
  Sample sample{"lengthPrefixed", options_of(FramingKind::kLengthPrefixed), "", {}};
  FramingOptions& options = sample.options;
  options.length_bytes = static_cast<std::uint8_t>(1u << random.below(4));
  options.little_endian = random.below(2) == 1;
  options.length_offset = random.below(4);
  options.length_adjustment = -static_cast<int>(random.below(3));
  options.strip_bytes = random.below(options.length_offset + options.length_bytes + 1);
  for (int i = 0; i < 12; ++i) {
    const std::string body = random.bytes(20);
    std::string header = random.bytes(0) + std::string(options.length_offset, 'h');
    const std::size_t length = body.size() - options.length_adjustment;
    for (std::uint32_t byte = 0; byte < options.length_bytes; ++byte) {
      const std::uint32_t shift =
          8 * (options.little_endian ? byte : options.length_bytes - 1 - byte);
      header += static_cast<char>(shift < 32 ? length >> shift : 0);
    }
    sample.input += header + body;
    sample.messages.push_back((header + body).substr(options.strip_bytes));
  }
  return sample;
}

Sample varint(Random& random) {
  Sample sample{"varint", options_of(FramingKind::kVarint), "", {}};
  for (int i = 0; i < 12; ++i) {
    const std::string body = random.bytes(i == 5 ? 300 : 20);
    std::size_t length = body.size();
    for (; length >= 0x80; length >>= 7) sample.input += static_cast<char>(length | 0x80);
    sample.input += static_cast<char>(length);
    sample.input += body;
    sample.messages.push_back(body);
  }
  return sample;
}

Sample resp(Random& random) {
  Sample sample{"resp", options_of(FramingKind::kResp), "", {}};
  for (int i = 0; i < 12; ++i) {
    std::string request;
    std::string message;
    std::uint32_t arguments = random.below(6);
    if (random.below(2) == 0) {
      request = "*" + std::to_string(arguments) + "\r\n";
      for (std::uint32_t n = 0; n < arguments; ++n) {
        const std::string argument = random.bytes(20);
        request += "$" + std::to_string(argument.size()) + "\r\n" + argument + "\r\n";
        message += argument + "|";
      }
    } else {
      for (std::uint32_t n = 0; n < arguments; ++n) {
        const std::string argument = random.bytes(8);
        request += " \"";
        for (const char c : argument) {
          char escaped[5];
          std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned char>(c));
          request += std::isalnum(static_cast<unsigned char>(c)) ? std::string(1, c) : escaped;
        }
        request += '"';
        message += argument + "|";
      }
      request += random.below(2) == 0 ? "\n" : "\r\n";
    }
    sample.input += request;
    if (arguments > 0) sample.messages.push_back(message);
  }
  return sample;
}

Sample fix(Random& random) {
  Sample sample{"fix", options_of(FramingKind::kFix), "", {}};
  for (int i = 0; i < 6; ++i) {
    std::string body = "35=0\x01";
    for (std::uint32_t n = random.below(5); n > 0; --n) {
      body += std::to_string(1000 + n) + "=" + random.bytes(9, "a=10 ") + "\x01";
    }
    const std::string data = random.bytes(9, "\x01=a");
    body += "95=" + std::to_string(data.size()) +
            "\x01"
            "96=" +
            data + "\x01";
    std::string message =
        "8=FIX.4.2\x01"
        "9=" +
        std::to_string(body.size()) + "\x01" + body;
    unsigned sum = 0;
    for (const unsigned char c : message) sum += c;
    char trailer[8];
    std::snprintf(trailer, sizeof trailer, "10=%03u\x01", sum % 256);
    message += trailer;
    sample.input += message;
    sample.messages.push_back(message);
  }
  return sample;
}

using Make = Sample (*)(Random&);
constexpr Make kSamples[] = {lines, delimited, fixed, length_prefixed, varint, resp, fix};

std::vector<std::string> messages_of(const Found& found, FramingKind kind) {
  std::vector<std::string> all;
  for (const auto& message : found.messages) {
    std::string text;
    for (const std::string& part : message.parts) text += part + "|";
    all.push_back(kind == FramingKind::kResp ? text : message.payload);
  }
  return all;
}

TEST(FramingSplits, EveryBoundaryGivesTheSameMessages) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  Random random(seed);
  for (const Make make : kSamples) {
    const Sample sample = make(random);
    const Framing framing(sample.options);
    const Found whole = test::feed_whole(framing, sample.input);
    ASSERT_TRUE(whole.kept_contract) << sample.name;
    ASSERT_EQ(whole.error, FrameError::kNone) << sample.name;
    ASSERT_EQ(messages_of(whole, sample.options.kind), sample.messages) << sample.name;
    for (std::size_t cut = 1; cut < sample.input.size(); ++cut) {
      bool first = true;
      const Found split = test::feed(framing, sample.input, [&](std::size_t left) {
        return std::exchange(first, false) ? cut : left;
      });
      ASSERT_TRUE(split.kept_contract) << sample.name << " cut at " << cut;
      ASSERT_TRUE(split == whole) << sample.name << " cut at " << cut;
    }
  }
}

TEST(FramingSplits, RandomChunksAndRoomGiveTheSameMessages) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  Random random(seed);
  for (int round = 0; round < 300; ++round) {
    for (const Make make : kSamples) {
      const Sample sample = make(random);
      const Framing framing(sample.options);
      const std::uint32_t most = 1 + random.below(40);
      const Found found = test::feed(
          framing, sample.input, [&](std::size_t) { return 1 + random.below(most); },
          random.below(4));
      ASSERT_TRUE(found.kept_contract) << sample.name << ", round " << round;
      ASSERT_EQ(found.error, FrameError::kNone) << sample.name << ", round " << round;
      ASSERT_EQ(messages_of(found, sample.options.kind), sample.messages)
          << sample.name << ", round " << round;
    }
  }
}

// Damaged input: whatever the outcome, it is the same for each chunking, and memory stays bounded.
TEST(FramingSplits, DamageIsFoundAlikeHoweverItIsCut) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  Random random(seed);
  std::uint32_t errors = 0;
  for (int round = 0; round < 500; ++round) {
    for (const Make make : kSamples) {
      Sample sample = make(random);
      sample.options.max_bytes = 1 + random.below(60);
      sample.options.max_arguments = 1 + random.below(6);
      const std::string marks = "\r\n*$-0129\"'\\ 8=\x01";
      for (std::uint32_t n = random.below(4); n > 0 && !sample.input.empty(); --n) {
        sample.input[random.below(sample.input.size())] = marks[random.below(marks.size())];
      }
      const Framing framing(sample.options);
      const Found whole = test::feed_whole(framing, sample.input);
      const Found bytes = test::feed_bytes(framing, sample.input);
      const Found chunks = test::feed(
          framing, sample.input, [&](std::size_t) { return 1 + random.below(20); },
          random.below(4));
      ASSERT_TRUE(whole.kept_contract && bytes.kept_contract && chunks.kept_contract)
          << sample.name << ", round " << round;
      ASSERT_TRUE(whole == bytes && whole == chunks) << sample.name << ", round " << round;
      ASSERT_LE(bytes.most_buffered, framing.max_frame_bytes());
      errors += whole.error != FrameError::kNone;
    }
  }
  EXPECT_GT(errors, 0u);
}

// One-byte chunks stay linear: bytes that were passed once are changed behind the scanner's back
// into what it looks for, and it must not notice.
TEST(FramingSplits, NoByteIsSearchedTwice) {
  FramingOptions two_bytes = options_of(FramingKind::kDelimiter);
  std::memcpy(two_bytes.delimiter, "\r\n", 2);
  two_bytes.delimiter_bytes = 2;
  for (const FramingOptions& options :
       {options_of(FramingKind::kLines), two_bytes, options_of(FramingKind::kResp)}) {
    const Framing framing(options);
    const std::string line = std::string(3000, 'a') + "\r\n";
    std::string buffer;
    FramingState state;
    Part parts[4];
    Frame frame;
    std::uint32_t needed;
    FrameError error;
    ScanResult result = ScanResult::kIncomplete;
    for (const char byte : line) {
      ASSERT_EQ(result, ScanResult::kIncomplete);
      buffer += byte;
      result = framing.next(reinterpret_cast<std::uint8_t*>(buffer.data()),
                            static_cast<std::uint32_t>(buffer.size()), state, parts, frame, needed,
                            error);
      // The byte before the last one may be half of a delimiter.
      if (result == ScanResult::kIncomplete && byte == 'a') {
        for (std::size_t i = buffer.size() - std::min<std::size_t>(buffer.size(), 3);
             i + 1 < buffer.size(); ++i) {
          buffer[i] = '\n';
        }
      }
    }
    EXPECT_EQ(result, ScanResult::kFrame);
    EXPECT_EQ(frame.end, line.size());
  }
}

// The same for a request of many arguments: the walk goes on where it stopped.
TEST(FramingSplits, RespWalkNeverGoesBack) {
  const Framing framing([] {
    FramingOptions options = options_of(FramingKind::kResp);
    options.max_bytes = 1u << 20;
    return options;
  }());
  std::string request = "*2000\r\n";
  for (int i = 0; i < 2000; ++i) request += "$3\r\nabc\r\n";
  FramingState state;
  std::vector<Part> parts(2000);
  Frame frame;
  std::uint32_t needed;
  FrameError error;
  auto* bytes = reinterpret_cast<std::uint8_t*>(request.data());
  std::uint32_t before = 0;
  for (std::uint32_t size = 1; size < request.size(); ++size) {
    ASSERT_EQ(framing.next(bytes, size, state, parts, frame, needed, error),
              ScanResult::kIncomplete);
    ASSERT_GE(state.position, before);
    ASSERT_LE(size - state.position, 9u);  // at most the header or the bulk that is not finished
    ASSERT_EQ(size < 7 || state.arguments == 2000, true);
    before = state.position;
  }
  ASSERT_EQ(framing.next(bytes, static_cast<std::uint32_t>(request.size()), state, parts, frame,
                         needed, error),
            ScanResult::kFrame);
  EXPECT_EQ(frame.part_count, 2000u);
  EXPECT_EQ(parts[1999].offset, request.size() - 5);
}

}  // namespace
}  // namespace millrace
