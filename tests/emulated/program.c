/* Stands for a program of another processor that has its name, and runs it in the
 * emulator. No shell script: a shell drops variables such as KEYFILE:name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  char self[4096], program[8192], emulator[8192];
  char *arguments[argc + 4];
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length < 0) return 127;
  self[length] = 0;
  snprintf(program, sizeof program, "%s%s", PROGRAMS, strrchr(self, '/'));
  /* The emulator by the program's name, which /proc/PID/stat then shows. */
  snprintf(emulator, sizeof emulator, "%s%s", EMULATORS, strrchr(self, '/'));
  arguments[0] = emulator;
  arguments[1] = "-U";
  arguments[2] = "LD_PRELOAD";
  arguments[3] = program;
  /* The last one is the null pointer. */
  memcpy(arguments + 4, argv + 1, argc * sizeof *argv);
  setenv("LD_PRELOAD", ALONE, 1);
  execv(emulator, arguments);
  return 127;
}
