// Does on purpose what a sanitizer is there to find: faulty leak|overflow|race

#include <cstdlib>
#include <limits>
#include <string_view>
#include <thread>

namespace {

int shared_number = 0;
void* volatile held = nullptr;

void leak() {
    held = std::malloc(16);
    held = nullptr;   // nobody else knows it
}

void race() {
    std::thread other([] { ++shared_number; });
    ++shared_number;
    other.join();
}

int overflow() {
    volatile int most = std::numeric_limits<int>::max();
    return most + 1;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view fault = argc == 2 ? argv[1] : "";
    if (fault == "leak") leak();
    else if (fault == "race") race();
    else if (fault == "overflow") return overflow() == 0;
    else return 2;
}
