#include <napi.h>

#include <cstdint>
#include <span>

#include "millrace/framing/stream_scanner.h"

namespace {

using millrace::FrameError;
using millrace::Part;
using millrace::ScanResult;
using millrace::StreamScanner;

StreamScanner* scanner_of(Napi::Value value) {
  return value.As<Napi::External<StreamScanner>>().Data();
}

std::span<std::uint32_t> words_of(Napi::Value value) {
  auto array = value.As<Napi::Uint32Array>();
  return {array.Data(), array.ElementLength()};
}

Napi::Value open(const Napi::CallbackInfo& info) {
  millrace::FramingOptions options;
  if (!millrace::decode_framing(words_of(info[0]), options)) return info.Env().Undefined();
  return Napi::External<StreamScanner>::New(info.Env(), new StreamScanner(options),
                                            [](Napi::Env, StreamScanner* it) { delete it; });
}

Napi::Value max_frame_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), scanner_of(info[0])->framing().max_frame_bytes());
}

void scan(const Napi::CallbackInfo& info) {
  auto memory = info[1].As<Napi::Uint8Array>();
  const std::uint32_t start = info[2].As<Napi::Number>().Uint32Value();
  const std::uint32_t end = info[3].As<Napi::Number>().Uint32Value();
  const std::span<std::uint32_t> table = words_of(info[4]);
  const std::span<std::uint32_t> parts = words_of(info[5]);
  if (start > end || end > memory.ElementLength() ||
      table.size() < StreamScanner::kHeaderWords + StreamScanner::kFrameWords) {
    Napi::RangeError::New(info.Env(), "scan: no such bytes, or no room")
        .ThrowAsJavaScriptException();
    return;
  }
  static_assert(sizeof(Part) == 2 * sizeof(std::uint32_t));
  scanner_of(info[0])->scan(memory.Data(), start, end, table,
                            {reinterpret_cast<Part*>(parts.data()), parts.size() / 2});
}

Napi::Array frame_errors(Napi::Env env) {
  auto errors = Napi::Array::New(env, millrace::kFrameErrors);
  for (std::uint8_t number = 0; number < millrace::kFrameErrors; ++number) {
    const auto error = static_cast<FrameError>(number);
    auto entry = Napi::Object::New(env);
    entry.Set("text", millrace::frame_error_text(error));
    entry.Set("tooLarge", millrace::is_too_large(error));
    errors[number] = entry;
  }
  return errors;
}

Napi::Object scan_results(Napi::Env env) {
  auto results = Napi::Object::New(env);
  results.Set("incomplete", static_cast<std::uint32_t>(ScanResult::kIncomplete));
  results.Set("partsFull", static_cast<std::uint32_t>(ScanResult::kPartsFull));
  results.Set("error", static_cast<std::uint32_t>(ScanResult::kError));
  return results;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("frameErrors", frame_errors(env));
  exports.Set("scanResults", scan_results(env));
  exports.Set("tableHeaderWords", StreamScanner::kHeaderWords);
  exports.Set("tableFrameWords", StreamScanner::kFrameWords);
  exports.Set("open", Napi::Function::New(env, open, "open"));
  exports.Set("maxFrameBytes", Napi::Function::New(env, max_frame_bytes, "maxFrameBytes"));
  exports.Set("scan", Napi::Function::New(env, scan, "scan"));
  return exports;
}

}  // namespace

NODE_API_MODULE(millrace_framing, init)
