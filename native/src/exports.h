// What each file of the addon adds to its exports. `src/native/binding.ts` is the contract they fulfil.
#pragma once

#include <napi.h>

namespace dunnage {

void ExportBlockDevices(Napi::Env env, Napi::Object exports);
void ExportChannel(Napi::Env env, Napi::Object exports);
void ExportDescriptors(Napi::Env env, Napi::Object exports);
void ExportDeviceMapper(Napi::Env env, Napi::Object exports);
void ExportFlush(Napi::Env env, Napi::Object exports);
void ExportLoopDevices(Napi::Env env, Napi::Object exports);
void ExportInotify(Napi::Env env, Napi::Object exports);
void ExportLoopback(Napi::Env env, Napi::Object exports);
void ExportMemory(Napi::Env env, Napi::Object exports);
void ExportMount(Napi::Env env, Napi::Object exports);
void ExportNodeChanges(Napi::Env env, Napi::Object exports);
void ExportNodes(Napi::Env env, Napi::Object exports);
void ExportProcesses(Napi::Env env, Napi::Object exports);
void ExportReflink(Napi::Env env, Napi::Object exports);
void ExportSockets(Napi::Env env, Napi::Object exports);
void ExportWatch(Napi::Env env, Napi::Object exports);
void ExportXattrs(Napi::Env env, Napi::Object exports);

}  // namespace dunnage
