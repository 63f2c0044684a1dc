// One function for each request. It returns 0 (the reply is in the call), a positive errno, or kNoReply.
#pragma once

#include "call.h"

namespace dunnage::loopback {

int Lookup(Call& call);
int Forget(Call& call);
int BatchForget(Call& call);
int Getattr(Call& call);
int Statx(Call& call);
int Readlink(Call& call);
int Statfs(Call& call);
int Setattr(Call& call);

int Mknod(Call& call);
int Mkdir(Call& call);
int Symlink(Call& call);
int Link(Call& call);
int Create(Call& call);
int Tmpfile(Call& call);

int Unlink(Call& call);
int Rmdir(Call& call);
int Rename(Call& call);
int Rename2(Call& call);

int Open(Call& call);
int Release(Call& call);
int Read(Call& call);
int Write(Call& call);
int Fsync(Call& call);
int Fallocate(Call& call);
int Lseek(Call& call);
int CopyFileRange(Call& call);

int Readdir(Call& call);
int Fsyncdir(Call& call);
int Syncfs(Call& call);

int Setxattr(Call& call);
int Getxattr(Call& call);
int Listxattr(Call& call);
int Removexattr(Call& call);

}  // namespace dunnage::loopback
