#pragma once

#include <string>

// The JavaScript stack of a thread that is busy, asked for by another thread. Node-API has no way
// to do that, V8 has: RequestInterrupt(), of which V8 says that it may be called from any thread
// and that the callback runs on the isolate's own. That ABI is of one major version of Node, so
// this is compiled in where V8's headers are, and used where the running Node is of their version.
#if __has_include(<v8.h>) && __has_include(<node_version.h>)
#include <node_version.h>
#include <v8.h>
#define MILLRACE_ISOLATE_STACK 1
#endif

namespace {

#ifdef MILLRACE_ISOLATE_STACK

using IsolateHandle = v8::Isolate*;
constexpr unsigned kIsolateStackNodeMajor = NODE_MAJOR_VERSION;

// Null where the running Node is of another major version than the headers were.
inline IsolateHandle current_isolate(unsigned node_major) {
  return node_major == kIsolateStackNodeMajor ? v8::Isolate::GetCurrent() : nullptr;
}

inline void append_text(std::string& out, v8::Isolate* isolate, v8::Local<v8::String> text) {
  if (text.IsEmpty()) return;
  const v8::String::Utf8Value utf8(isolate, text);
  if (*utf8 != nullptr) out.append(*utf8, static_cast<std::size_t>(utf8.length()));
}

// In the form of Error.prototype.stack, without its first line. Called on the isolate's thread.
inline std::string current_stack(v8::Isolate* isolate) {
  constexpr int kFrames = 20;
  const v8::HandleScope scope(isolate);
  const auto trace = v8::StackTrace::CurrentStackTrace(isolate, kFrames, v8::StackTrace::kDetailed);
  std::string out;
  for (int i = 0; i < trace->GetFrameCount(); ++i) {
    const auto frame = trace->GetFrame(isolate, static_cast<std::uint32_t>(i));
    std::string place;
    append_text(place, isolate, frame->GetScriptNameOrSourceURL());
    place +=
        ':' + std::to_string(frame->GetLineNumber()) + ':' + std::to_string(frame->GetColumn());
    std::string function;
    append_text(function, isolate, frame->GetFunctionName());
    if (i > 0) out += '\n';
    out += "    at " + (function.empty() ? place : function + " (" + place + ')');
  }
  return out;
}

inline void interrupt(IsolateHandle isolate, void (*call)(v8::Isolate*, void*), void* data) {
  isolate->RequestInterrupt(call, data);
}

#else

using IsolateHandle = void*;

inline IsolateHandle current_isolate(unsigned) { return nullptr; }

#endif

}  // namespace
