#include "arguments.h"

#include <cmath>

namespace dunnage {
namespace {

constexpr double kSafeIntegerMax = 9007199254740991.0;

bool IsWhole(const Napi::Value& value, double least, double most) {
  if (!value.IsNumber()) return false;
  const double number = value.As<Napi::Number>().DoubleValue();
  return std::trunc(number) == number && number >= least && number <= most;
}

bool IsSystemText(const std::string& text) { return text.find('\0') == std::string::npos; }

bool FailProperty(const Napi::Object& object, const char* name, const char* wanted) {
  Napi::TypeError::New(object.Env(), std::string(name) + " must be " + wanted).ThrowAsJavaScriptException();
  return false;
}

}  // namespace

void Arguments::Fail(const char* wanted) {
  if (failed_) return;
  failed_ = true;
  Napi::TypeError::New(info_.Env(), "argument " + std::to_string(index_) + " must be " + wanted)
      .ThrowAsJavaScriptException();
}

double Arguments::Whole(double least, double most, const char* wanted) {
  if (failed_) return 0;
  const Napi::Value value = Next();
  if (IsWhole(value, least, most)) return value.As<Napi::Number>().DoubleValue();
  Fail(wanted);
  return 0;
}

int Arguments::Descriptor() { return static_cast<int>(Whole(0, 2147483647.0, "a descriptor")); }
uint32_t Arguments::Unsigned() { return static_cast<uint32_t>(Whole(0, 4294967295.0, "an unsigned 32-bit integer")); }
size_t Arguments::Size() { return static_cast<size_t>(Whole(0, kSafeIntegerMax, "a size")); }
int64_t Arguments::Long() { return static_cast<int64_t>(Whole(-kSafeIntegerMax, kSafeIntegerMax, "an integer")); }
int Arguments::Integer() { return static_cast<int>(Whole(-2147483648.0, 2147483647.0, "a 32-bit integer")); }

bool Arguments::Boolean() {
  if (failed_) return false;
  const Napi::Value value = Next();
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value();
  Fail("a boolean");
  return false;
}

std::string Arguments::Text() {
  if (failed_) return "";
  const Napi::Value value = Next();
  if (value.IsString()) {
    std::string text = value.As<Napi::String>().Utf8Value();
    if (IsSystemText(text)) return text;
  }
  Fail("a string without NUL characters");
  return "";
}

std::string Arguments::ByteText() {
  if (failed_) return "";
  const Napi::Value value = Next();
  if (value.IsString()) {
    // The characters must be bytes: what is above 0xff would lose its upper half here.
    size_t length = 0;
    napi_get_value_string_latin1(value.Env(), value, nullptr, 0, &length);
    std::string text(length, '\0');
    napi_get_value_string_latin1(value.Env(), value, text.data(), length + 1, &length);
    if (IsSystemText(text)) return text;
  }
  Fail("a string without NUL characters");
  return "";
}

ByteView Arguments::Bytes() {
  if (failed_) return {};
  const Napi::Value value = Next();
  if (value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array) {
    const auto array = value.As<Napi::Uint8Array>();
    return {array.Data(), array.ByteLength()};
  }
  Fail("a Uint8Array");
  return {};
}

std::vector<int> Arguments::DescriptorList() {
  if (failed_) return {};
  const Napi::Value value = Next();
  std::vector<int> result;
  if (value.IsArray()) {
    const auto array = value.As<Napi::Array>();
    for (uint32_t index = 0; index < array.Length(); index++) {
      const Napi::Value item = array.Get(index);
      if (!IsWhole(item, 0, 2147483647.0)) break;
      result.push_back(item.As<Napi::Number>().Int32Value());
    }
    if (result.size() == array.Length()) return result;
  }
  Fail("a list of descriptors");
  return {};
}

std::vector<std::string> Arguments::TextList() {
  if (failed_) return {};
  const Napi::Value value = Next();
  std::vector<std::string> result;
  if (value.IsArray()) {
    const auto array = value.As<Napi::Array>();
    for (uint32_t index = 0; index < array.Length(); index++) {
      const Napi::Value item = array.Get(index);
      if (!item.IsString()) break;
      result.push_back(item.As<Napi::String>().Utf8Value());
      if (result.back().find('\0') != std::string::npos) break;
    }
    if (result.size() == array.Length()) return result;
  }
  Fail("a list of strings");
  return {};
}

Napi::Object Arguments::Object() {
  if (failed_) return Napi::Object();
  const Napi::Value value = Next();
  if (value.IsObject()) return value.As<Napi::Object>();
  Fail("an object");
  return Napi::Object();
}

Napi::Function Arguments::Function() {
  if (failed_) return Napi::Function();
  const Napi::Value value = Next();
  if (value.IsFunction()) return value.As<Napi::Function>();
  Fail("a function");
  return Napi::Function();
}

bool ReadSize(const Napi::Object& object, const char* name, double least, double most, double* result) {
  const Napi::Value value = object.Get(name);
  if (value.IsEmpty()) return false;
  if (!IsWhole(value, least, most)) {
    const std::string wanted = "an integer from " + std::to_string(static_cast<int64_t>(least)) + " to " +
                               std::to_string(static_cast<int64_t>(most));
    return FailProperty(object, name, wanted.c_str());
  }
  *result = value.As<Napi::Number>().DoubleValue();
  return true;
}

bool ReadText(const Napi::Object& object, const char* name, std::string* result) {
  const Napi::Value value = object.Get(name);
  if (value.IsEmpty()) return false;
  if (!value.IsString()) return FailProperty(object, name, "a string");
  *result = value.As<Napi::String>().Utf8Value();
  return IsSystemText(*result) || FailProperty(object, name, "a string without NUL characters");
}

bool ReadBoolean(const Napi::Object& object, const char* name, bool* result) {
  const Napi::Value value = object.Get(name);
  if (value.IsEmpty()) return false;
  if (!value.IsBoolean()) return FailProperty(object, name, "a boolean");
  *result = value.As<Napi::Boolean>().Value();
  return true;
}

bool ReadFunction(const Napi::Object& object, const char* name, Napi::Function* result) {
  const Napi::Value value = object.Get(name);
  if (value.IsEmpty()) return false;
  if (!value.IsFunction()) return FailProperty(object, name, "a function");
  *result = value.As<Napi::Function>();
  return true;
}

}  // namespace dunnage
