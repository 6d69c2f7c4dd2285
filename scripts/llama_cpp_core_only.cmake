# For CMAKE_PROJECT_INCLUDE_BEFORE when llama-cpp-python is compiled for tests: leaves out llama.cpp's `common` library,
# which its tools use and Python does not. That saves a third of the time.
set(LLAMA_BUILD_COMMON OFF)
