"""The kernels of cuda/, compiled as C++ and run on a CPU: a launch is two loops over blocks and threads."""
