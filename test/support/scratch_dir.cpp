#include "support/scratch_dir.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>

namespace dynconf::test {

namespace fs = std::filesystem;

namespace {

constexpr const char* prefix = "dynconf-test-";

/// etcd allocates its logs ahead: three members take 400 MB.
constexpr std::uintmax_t enough = std::uintmax_t{1} << 30;

fs::path parent_directory() {
    const fs::path memory = "/dev/shm";
    std::error_code ec;
    if (const fs::space_info space = fs::space(memory, ec);
        !ec && space.available >= enough && ::access(memory.c_str(), W_OK) == 0)
        return memory;
    return fs::temp_directory_path();
}

/// A directory is in use while its owner file is locked; one without that file is just being made.
void remove_left_behind(const fs::path& parent) {
    std::error_code ec;
    for (const fs::directory_entry& entry : fs::directory_iterator(parent, ec)) {
        if (!entry.path().filename().string().starts_with(prefix)) continue;
        const int fd = ::open((entry.path() / "owner").c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0) continue;
        if (::flock(fd, LOCK_EX | LOCK_NB) == 0) fs::remove_all(entry.path(), ec);
        ::close(fd);
    }
}

}  // namespace

scratch_dir::scratch_dir() {
    const fs::path parent = parent_directory();
    remove_left_behind(parent);
    std::string name = (parent / (std::string(prefix) + "XXXXXX")).string();
    if (!::mkdtemp(name.data())) throw std::system_error(errno, std::generic_category(), "mkdtemp " + name);
    path_ = name;
    // Locked before it gets the name under which others look for it.
    const fs::path unnamed = path_ / "owner.new";
    owner_ = ::open(unnamed.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (owner_ < 0 || ::flock(owner_, LOCK_EX | LOCK_NB) != 0)
        throw std::system_error(errno, std::generic_category(), unnamed);
    fs::rename(unnamed, path_ / "owner");
}

scratch_dir::~scratch_dir() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    ::close(owner_);
}

}  // namespace dynconf::test
