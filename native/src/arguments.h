// Reads the arguments of a call in order and checks their types. The first wrong one throws a TypeError; everything
// read after that is empty, so a function reads all it needs and looks at `failed` once.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace dunnage {

struct ByteView {
  const uint8_t* data = nullptr;
  size_t size = 0;
};

class Arguments {
 public:
  explicit Arguments(const Napi::CallbackInfo& info) : info_(info) {}

  int Descriptor();          // 0 .. 2^31 - 1
  uint32_t Unsigned();       // 0 .. 2^32 - 1
  size_t Size();             // 0 .. 2^53 - 1
  int64_t Long();            // -(2^53 - 1) .. 2^53 - 1
  int Integer();             // 32 bits with sign
  bool Boolean();
  std::string Text();        // without NUL characters: it is meant for a system call
  std::string ByteText();    // the same with one byte per character: a file name, whatever its encoding
  ByteView Bytes();          // a Uint8Array (or Buffer); valid until the call returns
  std::vector<int> DescriptorList();
  std::vector<std::string> TextList();
  Napi::Object Object();
  Napi::Function Function();

  bool failed() const { return failed_; }
  Napi::Env env() const { return info_.Env(); }

 private:
  Napi::Value Next() { return info_[index_++]; }
  void Fail(const char* wanted);
  double Whole(double least, double most, const char* wanted);

  const Napi::CallbackInfo& info_;
  size_t index_ = 0;
  bool failed_ = false;
};

// The same checks for a property of an options object.
bool ReadSize(const Napi::Object& object, const char* name, double least, double most, double* result);
bool ReadText(const Napi::Object& object, const char* name, std::string* result);
bool ReadBoolean(const Napi::Object& object, const char* name, bool* result);
bool ReadFunction(const Napi::Object& object, const char* name, Napi::Function* result);

}  // namespace dunnage
