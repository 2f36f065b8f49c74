export const planes = ["dart", "glider", "swallow"];
