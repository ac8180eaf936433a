#include "millrace/framing/framing.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "framing_splits.h"

namespace millrace {
namespace {

using test::feed_bytes;
using test::feed_whole;
using test::Found;
using Strings = std::vector<std::string>;

std::string bytes(std::initializer_list<int> values) {
  return std::string(values.begin(), values.end());
}

FramingOptions options_of(FramingKind kind, std::uint32_t max_bytes = 1u << 20) {
  FramingOptions options;
  options.kind = kind;
  options.max_bytes = max_bytes;
  return options;
}

FramingOptions delimited_by(const std::string& delimiter, std::uint32_t max_bytes = 1u << 20) {
  FramingOptions options = options_of(FramingKind::kDelimiter, max_bytes);
  std::memcpy(options.delimiter, delimiter.data(), delimiter.size());
  options.delimiter_bytes = static_cast<std::uint8_t>(delimiter.size());
  return options;
}

FramingOptions prefixed_by(std::uint8_t length_bytes, std::uint32_t max_bytes = 1u << 20) {
  FramingOptions options = options_of(FramingKind::kLengthPrefixed, max_bytes);
  options.length_bytes = length_bytes;
  options.strip_bytes = length_bytes;
  return options;
}

Strings payloads(const Found& found) {
  Strings all;
  for (const auto& message : found.messages) all.push_back(message.payload);
  return all;
}

// Whole and byte by byte: the outcome must be the same.
Found scan(const FramingOptions& options, const std::string& input) {
  const Framing framing(options);
  const Found found = feed_whole(framing, input);
  EXPECT_TRUE(found.kept_contract);
  const Found slow = feed_bytes(framing, input);
  EXPECT_TRUE(slow.kept_contract);
  EXPECT_TRUE(found == slow) << "differs when it comes byte by byte";
  return found;
}

FrameError error_of(const FramingOptions& options, const std::string& input) {
  return scan(options, input).error;
}

Strings words_of(const std::string& line) {
  const Found found = scan(options_of(FramingKind::kResp), line + "\r\n");
  EXPECT_EQ(found.error, FrameError::kNone);
  return found.messages.empty() ? Strings{} : found.messages.front().parts;
}

std::string fix_message(const std::string& body, int length_error = 0, int sum_error = 0) {
  std::string message =
      "8=FIX.4.4\x01"
      "9=" +
      std::to_string(body.size() + length_error) + "\x01" + body;
  unsigned sum = 0;
  for (const unsigned char c : message) sum += c;
  char trailer[8];
  std::snprintf(trailer, sizeof trailer, "10=%03u\x01", (sum + sum_error) % 256);
  return message + trailer;
}

TEST(RawFraming, TakesWhatIsThereUpToTheLimit) {
  const Framing framing(options_of(FramingKind::kRaw, 4));
  EXPECT_EQ(payloads(feed_whole(framing, "abcdefghij")), (Strings{"abcd", "efgh", "ij"}));
}

TEST(LineFraming, StripsLineFeedAndCarriageReturn) {
  const Found found = scan(options_of(FramingKind::kLines), "one\ntwo\r\n\n\r\nr\rr\ntail");
  EXPECT_EQ(payloads(found), (Strings{"one", "two", "", "", "r\rr"}));
  EXPECT_EQ(found.unfinished, 4u);
  EXPECT_TRUE(found.messages[0].echo_is_exact);
  EXPECT_FALSE(found.messages[1].echo_is_exact);
}

TEST(LineFraming, LimitIsForTheLineWithoutItsEnd) {
  const FramingOptions options = options_of(FramingKind::kLines, 4);
  EXPECT_EQ(payloads(scan(options, "abcd\nabcd\r\n")), (Strings{"abcd", "abcd"}));
  EXPECT_EQ(error_of(options, "abcde\n"), FrameError::kTooLarge);
  EXPECT_EQ(error_of(options, "abcd\rx\n"), FrameError::kTooLarge);
  EXPECT_EQ(error_of(options, "abcde"), FrameError::kTooLarge);
  EXPECT_EQ(error_of(options, "abcd\r"), FrameError::kNone);
}

TEST(DelimiterFraming, FindsDelimitersOfSeveralBytes) {
  const Found found = scan(delimited_by("--\r"), "a--\r--\r-b---\r");
  EXPECT_EQ(payloads(found), (Strings{"a", "", "-b-"}));
}

TEST(DelimiterFraming, KeepsTheDelimiterIfToldSo) {
  FramingOptions options = delimited_by("|");
  options.strip = false;
  EXPECT_EQ(payloads(scan(options, "a|bc|")), (Strings{"a|", "bc|"}));
}

TEST(DelimiterFraming, LimitIsForThePayload) {
  const FramingOptions options = delimited_by("ab", 3);
  EXPECT_EQ(payloads(scan(options, "xxxabab")), (Strings{"xxx", ""}));
  EXPECT_EQ(error_of(options, "xxxxab"), FrameError::kTooLarge);
}

TEST(FixedFraming, CutsAtEqualLengths) {
  FramingOptions options = options_of(FramingKind::kFixed);
  options.fixed_bytes = 3;
  const Found found = scan(options, "abcdefgh");
  EXPECT_EQ(payloads(found), (Strings{"abc", "def"}));
  EXPECT_EQ(found.unfinished, 2u);
}

TEST(LengthPrefixedFraming, ReadsEveryWidthAndOrder) {
  for (const std::uint8_t width : {1, 2, 4, 8}) {
    for (const bool little : {false, true}) {
      FramingOptions options = prefixed_by(width);
      options.little_endian = little;
      std::string header(width, '\0');
      header[little ? 0 : width - 1] = 5;
      EXPECT_EQ(payloads(scan(options, header + "hello" + header)), (Strings{"hello"}));
    }
  }
}

TEST(LengthPrefixedFraming, NoLengthWrapsRound) {
  FramingOptions options = prefixed_by(8, 100);
  const std::string most = bytes({255, 255, 255, 255, 255, 255, 255, 255});
  for (const int adjustment : {0, 1, 12, 1 << 30, -1, -12, -(1 << 30)}) {
    options.length_adjustment = adjustment;
    EXPECT_EQ(error_of(options, most), FrameError::kTooLarge) << adjustment;
    EXPECT_EQ(error_of(options, bytes({0, 0, 0, 1, 0, 0, 0, 0})), FrameError::kTooLarge);
  }
}

TEST(LengthPrefixedFraming, AdjustmentCountsHeaderBytes) {
  FramingOptions options = prefixed_by(2, 10);
  options.length_adjustment = -2;  // the length counts itself
  EXPECT_EQ(payloads(scan(options, bytes({0, 5}) + "abc" + bytes({0, 2}))), (Strings{"abc", ""}));
  EXPECT_EQ(error_of(options, bytes({0, 1})), FrameError::kBadLength);
  EXPECT_EQ(error_of(options, bytes({0, 13})), FrameError::kTooLarge);
  options.length_adjustment = 4;  // a checksum of four bytes follows
  EXPECT_EQ(payloads(scan(options, bytes({0, 1}) + "abcde")), (Strings{"abcde"}));
  EXPECT_EQ(error_of(options, bytes({0, 7})), FrameError::kTooLarge);
}

TEST(LengthPrefixedFraming, OffsetAndStripDecideWhatIsHandedOut) {
  FramingOptions options = prefixed_by(2);
  options.length_offset = 1;
  const std::string input = "T" + bytes({0, 3}) + "abc";
  options.strip_bytes = 3;
  EXPECT_EQ(payloads(scan(options, input)), (Strings{"abc"}));
  EXPECT_FALSE(scan(options, input).messages[0].echo_is_exact);
  options.strip_bytes = 0;
  EXPECT_EQ(payloads(scan(options, input)), (Strings{input}));
  options.strip_bytes = 5;
  EXPECT_EQ(payloads(scan(options, input)), (Strings{"c"}));
  options.strip_bytes = 7;
  EXPECT_EQ(error_of(options, input), FrameError::kBadLength);
}

TEST(LengthPrefixedFraming, ALengthAboveTheLimitIsAnErrorBeforeAnyPayload) {
  EXPECT_EQ(error_of(prefixed_by(4, 64), bytes({0, 0, 0, 65})), FrameError::kTooLarge);
  const Found found = scan(prefixed_by(4, 64), bytes({0, 0, 0, 64}) + std::string(64, 'x'));
  EXPECT_EQ(found.messages.size(), 1u);
  EXPECT_TRUE(found.messages[0].echo_is_exact);
}

TEST(VarintFraming, ReadsProtobufPrefixes) {
  const FramingOptions options = options_of(FramingKind::kVarint);
  const std::string long_payload(300, 'x');
  const std::string input = bytes({0, 1}) + "a" + bytes({0xac, 0x02}) + long_payload;
  EXPECT_EQ(payloads(scan(options, input)), (Strings{"", "a", long_payload}));
  const Found padded = scan(options, bytes({0x81, 0x80, 0x00}) + "z");
  EXPECT_EQ(payloads(padded), (Strings{"z"}));
  EXPECT_FALSE(padded.messages[0].echo_is_exact);
}

TEST(VarintFraming, RefusesLongPrefixes) {
  const FramingOptions options = options_of(FramingKind::kVarint, 100);
  EXPECT_EQ(error_of(options, bytes({101})), FrameError::kTooLarge);
  EXPECT_EQ(error_of(options, bytes({0xff, 0xff})), FrameError::kTooLarge);
  const std::string zeros(9, '\x80');
  EXPECT_EQ(error_of(options, zeros + bytes({0})), FrameError::kNone);
  EXPECT_EQ(error_of(options, zeros + bytes({0x80, 0})), FrameError::kBadVarint);
  EXPECT_EQ(error_of(options, zeros + bytes({2})), FrameError::kBadVarint);
  EXPECT_EQ(error_of(options, zeros + bytes({1})), FrameError::kTooLarge);
}

TEST(RespFraming, PartsAreTheArguments) {
  const std::string get = "*2\r\n$3\r\nGET\r\n$0\r\n\r\n";
  const Found found = scan(options_of(FramingKind::kResp), get + "*1\r\n$4\r\nPING\r\n");
  ASSERT_EQ(found.messages.size(), 2u);
  EXPECT_EQ(found.messages[0].payload, get);
  EXPECT_EQ(found.messages[0].parts, (Strings{"GET", ""}));
  EXPECT_EQ(found.messages[1].parts, (Strings{"PING"}));
}

TEST(RespFraming, BulksMayHoldLineEnds) {
  const Found found = scan(options_of(FramingKind::kResp), "*1\r\n$6\r\n\r\n*1\r\n\r\n");
  EXPECT_EQ(found.messages.at(0).parts, (Strings{"\r\n*1\r\n"}));
}

TEST(RespFraming, EmptyRequestsAreSkipped) {
  const Found found =
      scan(options_of(FramingKind::kResp), "*0\r\n*-1\r\n\r\n\n \t\r\nPING\r\n*0\r\n");
  ASSERT_EQ(found.messages.size(), 1u);
  EXPECT_EQ(found.messages[0].parts, (Strings{"PING"}));
  EXPECT_EQ(found.unfinished, 0u);
}

TEST(RespFraming, ErrorsAreThoseOfRedis) {
  const FramingOptions options = options_of(FramingKind::kResp);
  const auto text = [&](const std::string& input) {
    return std::string(frame_error_text(error_of(options, input)));
  };
  for (const char* count : {"x", "", "+1", "01", "-0", "1x", "9223372036854775808", "1048577"}) {
    EXPECT_EQ(text("*" + std::string(count) + "\r\n"), "Protocol error: invalid multibulk length");
  }
  for (const char* length : {"x", "", "-1", "+1", "01", "1 ", "1048577", "99999999999999999999"}) {
    EXPECT_EQ(text("*1\r\n$" + std::string(length) + "\r\n"),
              "Protocol error: invalid bulk length");
  }
  EXPECT_EQ(text("*1\r\nX"), "Protocol error: expected '$', got '{char}'");
  EXPECT_EQ(scan(options, "*1\r\nX").detail, 'X');
  EXPECT_EQ(text("*1\r\n$1\r\nab\r\n"), "Protocol error: expected CRLF after bulk");
  EXPECT_EQ(text("SET \"a\r\n"), "Protocol error: unbalanced quotes in request");
  EXPECT_EQ(text(std::string(65537, 'a')), "Protocol error: too big inline request");
  EXPECT_EQ(text("*" + std::string(65536, '1')), "Protocol error: too big mbulk count string");
  EXPECT_EQ(text("*1\r\n$" + std::string(65536, '1')), "Protocol error: too big bulk count string");
}

TEST(RespFraming, AcceptsAsMuchAsTheLimitsSay) {
  FramingOptions options = options_of(FramingKind::kResp);
  EXPECT_EQ(scan(options, std::string(65536, 'a') + "\r\n").messages.size(), 1u);
  EXPECT_EQ(error_of(options, "*" + std::string(65535, '1')), FrameError::kNone);
  options.max_arguments = 2;
  EXPECT_EQ(scan(options, "a b\n").messages.size(), 1u);
  EXPECT_EQ(error_of(options, "a b c\n"), FrameError::kTooManyArguments);
  EXPECT_EQ(error_of(options, "*3\r\n"), FrameError::kTooManyArguments);
  const std::string ping = "*1\r\n$4\r\nPING\r\n";
  options.max_bytes = static_cast<std::uint32_t>(ping.size());
  EXPECT_EQ(scan(options, ping + ping).messages.size(), 2u);
}

TEST(RespFraming, ARequestThatCannotFitIsAnErrorAtOnce) {
  const FramingOptions options = options_of(FramingKind::kResp, 64);
  EXPECT_EQ(error_of(options, "*1\r\n$65\r\n"), FrameError::kInvalidBulkLength);
  EXPECT_EQ(error_of(options, "*1\r\n$60\r\n"), FrameError::kRequestTooLarge);
  EXPECT_EQ(error_of(options, "*11\r\n"), FrameError::kRequestTooLarge);
  EXPECT_EQ(error_of(options, "*2\r\n$48\r\n"), FrameError::kRequestTooLarge);
  EXPECT_EQ(error_of(options, std::string(64, 'a')), FrameError::kRequestTooLarge);
}

TEST(RespFraming, SplitsInlineRequestsAsRedisDoes) {
  EXPECT_EQ(words_of("SET  key\tvalue "), (Strings{"SET", "key", "value"}));
  EXPECT_EQ(words_of("\v\fa\vb"), (Strings{"a\vb"}));
  EXPECT_EQ(words_of("a \"b c\" 'd e' \"\" ''"), (Strings{"a", "b c", "d e", "", ""}));
  EXPECT_EQ(words_of(R"("\n\r\t\b\a\\\"\q")"), (Strings{"\n\r\t\b\a\\\"q"}));
  EXPECT_EQ(words_of(R"("\x41\x5A\xfg\x4")"), (Strings{"AZxfgx4"}));
  EXPECT_EQ(words_of(R"('it\'s \n')"), (Strings{"it's \\n"}));
  EXPECT_EQ(words_of("k\"a b\" x"), (Strings{"ka b", "x"}));
  EXPECT_EQ(words_of("+OK"), (Strings{"+OK"}));
  for (const char* line :
       {"\"a\"b", "'a'b", "\"a", "'a", "\"a\\\"", "'a\\'", "a\"", "\"a\"\"b\""}) {
    EXPECT_EQ(error_of(options_of(FramingKind::kResp), std::string(line) + "\n"),
              FrameError::kUnbalancedQuotes)
        << line;
  }
}

TEST(RespFraming, InlineRequestIsNotUnescapedTwice) {
  const Framing framing(options_of(FramingKind::kResp));
  const Found found = test::feed(
      framing, "a \"\\\\n\" b\n", [](std::size_t left) { return left; }, 0);
  EXPECT_EQ(found.messages.at(0).parts, (Strings{"a", "\\n", "b"}));
}

TEST(FixFraming, PartsAreTheFields) {
  const std::string message = fix_message(
      "35=0\x01"
      "49=A\x01"
      "58=\x01");
  const Found found = scan(options_of(FramingKind::kFix), message + message);
  ASSERT_EQ(found.messages.size(), 2u);
  EXPECT_EQ(found.messages[1].payload, message);
  const Strings& fields = found.messages[0].parts;
  ASSERT_EQ(fields.size(), 6u);
  EXPECT_EQ(fields[0], "8=FIX.4.4");
  EXPECT_EQ(fields[1], "9=14");
  EXPECT_EQ(fields[4], "58=");
  EXPECT_EQ(fields[5].substr(0, 3), "10=");
}

TEST(FixFraming, DataFieldsMayHoldTheSeparator) {
  const Found found = scan(options_of(FramingKind::kFix), fix_message("95=3\x01"
                                                                      "96=\x01=\x01\x01"
                                                                      "93=1\x01"
                                                                      "89=\x01\x01"));
  EXPECT_EQ(found.messages.at(0).parts.at(3), "96=\x01=\x01");
  EXPECT_EQ(found.messages.at(0).parts.at(5), "89=\x01");
}

TEST(FixFraming, ChecksLengthSumAndFields) {
  const FramingOptions options = options_of(FramingKind::kFix, 200);
  EXPECT_EQ(error_of(options, fix_message("35=0\x01")), FrameError::kNone);
  EXPECT_EQ(error_of(options, fix_message("35=0\x01", 0, 1)), FrameError::kBadChecksum);
  EXPECT_EQ(error_of(options, fix_message("35=0\x01", -1)), FrameError::kBadBodyLength);
  EXPECT_EQ(error_of(options, fix_message("35=0\x01", 1) + "8="), FrameError::kBadBodyLength);
  EXPECT_EQ(error_of(options, fix_message("35=0")), FrameError::kBadBodyLength);
  EXPECT_EQ(error_of(options, fix_message("0\x01")), FrameError::kBadField);
  EXPECT_EQ(error_of(options, fix_message("95=9\x01"
                                          "96=a\x01")),
            FrameError::kBadField);
  EXPECT_EQ(error_of(options,
                     "8=FIX.4.4\x01"
                     "9=4294967295\x01"),
            FrameError::kTooLarge);
  EXPECT_EQ(error_of(options,
                     "8=FIX.4.4\x01"
                     "9=180\x01"),
            FrameError::kTooLarge);
  for (const std::string input : {"9=", "8x",
                                  "8=FIX\x01"
                                  "35=",
                                  "8=FIX\x01"
                                  "9=\x01",
                                  "8=FIX\x01"
                                  "9=1x"}) {
    EXPECT_EQ(error_of(options, input), FrameError::kBadHeader) << input;
  }
  EXPECT_EQ(error_of(options, "8=" + std::string(33, 'F')), FrameError::kBadHeader);
}

TEST(FrameErrors, EachHasAText) {
  for (std::uint8_t number = 1; number < kFrameErrors; ++number) {
    EXPECT_STRNE(frame_error_text(static_cast<FrameError>(number)), "") << int{number};
  }
  EXPECT_STREQ(frame_error_text(static_cast<FrameError>(kFrameErrors)), "");
}

}  // namespace
}  // namespace millrace
